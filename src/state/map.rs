//! Ordered maps that share what they have in common with their copies.

use rpds::RedBlackTreeMap;
use std::borrow::Borrow;
use std::fmt;

/// An ordered map like `BTreeMap`. A copy costs nothing, and a change of a copy only the nodes on the way to what is
/// changed. A plan for many interfaces tries each step on a copy of the state, and a step changes little of it.
#[derive(Clone)]
pub struct Map<K: Ord, V>(RedBlackTreeMap<K, V>);

impl<K: Ord, V> Map<K, V> {
    /// A map without entries.
    pub fn new() -> Self {
        Self(RedBlackTreeMap::new())
    }

    /// The value of this key.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.0.get(key)
    }

    /// Whether the map has this key.
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.0.contains_key(key)
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.0.size()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The entries in the order of their keys.
    pub fn iter(&self) -> rpds::map::red_black_tree_map::Iter<'_, K, V, archery::RcK> {
        self.0.iter()
    }

    /// The keys in order.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.0.keys()
    }

    /// The values in the order of their keys.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.0.values()
    }
}

impl<K: Ord + Clone, V: Clone> Map<K, V> {
    /// The value of this key, to be changed.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        // Without this, the nodes on the way would be copied for a key that is not there.
        if self.0.contains_key(key) { self.0.get_mut(key) } else { None }
    }

    /// The place of a key, which may be empty.
    pub fn entry(&mut self, key: K) -> Entry<'_, K, V> {
        Entry { map: self, key }
    }

    /// Sets the value of a key, and returns the value that it had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let before = self.0.get(&key).cloned();
        self.0.insert_mut(key, value);
        before
    }

    /// Removes a key, and returns the value that it had.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let before = self.0.get(key).cloned();
        if before.is_some() {
            self.0.remove_mut(key);
        }
        before
    }

    /// Removes all entries but those for which the function is true.
    pub fn retain(&mut self, keep: impl Fn(&K, &V) -> bool) {
        let removed = self.iter().filter(|(key, value)| !keep(key, value)).map(|(key, _)| key.clone());
        for key in removed.collect::<Vec<K>>() {
            self.0.remove_mut(&key);
        }
    }

    /// Changes the values of the entries for which the first function is true.
    pub fn update(&mut self, is_it: impl Fn(&K, &V) -> bool, mut change: impl FnMut(&K, &mut V)) {
        let keys = self.iter().filter(|(key, value)| is_it(key, value)).map(|(key, _)| key.clone());
        for key in keys.collect::<Vec<K>>() {
            self.get_mut(&key).into_iter().for_each(|value| change(&key, value));
        }
    }

    /// Changes all values.
    pub fn update_all(&mut self, change: impl FnMut(&K, &mut V)) {
        self.update(|_, _| true, change);
    }
}

/// The place of a key in a map.
pub struct Entry<'a, K: Ord, V> {
    map: &'a mut Map<K, V>,
    key: K,
}

impl<'a, K: Ord + Clone, V: Clone> Entry<'a, K, V> {
    /// The value to be changed. If there is none, the key gets this one first.
    pub fn or_insert_with(self, make: impl Fn() -> V) -> &'a mut V {
        let Self { map: Map(map), key } = self;
        if !map.contains_key(&key) {
            map.insert_mut(key.clone(), make());
        }
        // The key is there now. rpds has no function that returns the value of a key that is inserted.
        map.get_mut(&key).unwrap_or_else(|| Box::leak(Box::new(make())))
    }

    /// The same with this value.
    pub fn or_insert(self, value: V) -> &'a mut V {
        self.or_insert_with(|| value.clone())
    }

    /// The same with the default value.
    pub fn or_default(self) -> &'a mut V
    where
        V: Default,
    {
        self.or_insert_with(V::default)
    }
}

impl<K: Ord, V> Default for Map<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Ord + fmt::Debug, V: fmt::Debug> fmt::Debug for Map<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<K: Ord, V: PartialEq> PartialEq for Map<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.0.ptr_eq(&other.0) || (self.len() == other.len() && self.iter().eq(other.iter()))
    }
}

impl<K: Ord, V: Eq> Eq for Map<K, V> {}

impl<K: Ord + Clone, V: Clone> Extend<(K, V)> for Map<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        entries.into_iter().for_each(|(key, value)| self.0.insert_mut(key, value));
    }
}

impl<K: Ord + Clone, V: Clone> FromIterator<(K, V)> for Map<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = Self::new();
        map.extend(entries);
        map
    }
}

impl<K: Ord + Clone, V: Clone, const N: usize> From<[(K, V); N]> for Map<K, V> {
    fn from(entries: [(K, V); N]) -> Self {
        entries.into_iter().collect()
    }
}

impl<'a, K: Ord, V> IntoIterator for &'a Map<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = rpds::map::red_black_tree_map::Iter<'a, K, V, archery::RcK>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<K: Ord + Clone, V: Clone> IntoIterator for Map<K, V> {
    type Item = (K, V);
    type IntoIter = std::vec::IntoIter<(K, V)>;

    fn into_iter(self) -> Self::IntoIter {
        let entries = self.iter().map(|(key, value)| (key.clone(), value.clone()));
        entries.collect::<Vec<_>>().into_iter()
    }
}
