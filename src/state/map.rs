//! Ordered maps that share what they have in common with their copies.

use super::Shared;
use std::borrow::Borrow;
use std::fmt;
use std::slice;

type Entry<K, V> = Shared<(K, V)>;
type Chunk<K, V> = Shared<Vec<Entry<K, V>>>;

/// The most entries of a chunk. One with more becomes two.
const MOST: usize = 64;

/// An ordered map like `BTreeMap`. A copy costs nothing, and a change of a copy only one list of chunks, one chunk and
/// the entry. A plan for many interfaces tries each step on a copy of the state, and a step changes little of it.
///
/// The trees of the crates rpds and im do the same, but a state has sixteen kinds of maps, and their code was a
/// twentieth of the program. This is a fifth of that, and an entry needs less memory.
#[derive(Clone)]
pub struct Map<K, V>(
    /// In the order of the keys. No chunk is empty.
    Shared<Vec<Chunk<K, V>>>,
);

impl<K: Ord, V> Map<K, V> {
    /// A map without entries.
    pub fn new() -> Self {
        Self(Shared::default())
    }

    /// The chunk that has this key or gets it, and where in the chunk it is or would be.
    fn find<Q: Ord + ?Sized>(&self, key: &Q) -> (usize, Result<usize, usize>)
    where
        K: Borrow<Q>,
    {
        let starts_before = |chunk: &Chunk<K, V>| chunk.first().is_some_and(|entry| entry.0.borrow() <= key);
        let chunk = self.0.partition_point(starts_before).saturating_sub(1);
        let place = self
            .0
            .get(chunk)
            .map_or(Err(0), |chunk| chunk.binary_search_by(|entry| entry.0.borrow().cmp(key)));
        (chunk, place)
    }

    /// The value of this key.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let (chunk, place) = self.find(key);
        self.0.get(chunk)?.get(place.ok()?).map(|entry| &entry.1)
    }

    /// Whether the map has this key.
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.get(key).is_some()
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.0.iter().map(|chunk| chunk.len()).sum()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The entries in the order of their keys.
    pub fn iter(&self) -> Iter<'_, K, V> {
        Iter { chunks: self.0.iter(), entries: [].iter() }
    }

    /// The keys in order.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    /// The values in the order of their keys.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }
}

impl<K: Ord + Clone, V: Clone> Map<K, V> {
    /// The value of this key, to be changed.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let (chunk, place) = self.find(key);
        // A key that is not there must not cause a copy.
        let place = place.ok()?;
        self.0.get_mut(chunk)?.get_mut(place).map(|entry| &mut entry.1)
    }

    /// The place of a key, which may be empty.
    pub fn entry(&mut self, key: K) -> Place<'_, K, V> {
        Place { map: self, key }
    }

    /// Adds an entry where `find` said, and returns where it is then.
    fn add(&mut self, chunk: usize, place: usize, entry: (K, V)) -> (usize, usize) {
        if self.0.is_empty() {
            self.0.push(Shared::default());
        }
        let entries = &mut self.0[chunk];
        entries.insert(place, entry.into());
        if entries.len() <= MOST {
            return (chunk, place);
        }
        let rest = entries.split_off(MOST / 2);
        self.0.insert(chunk + 1, rest.into());
        if place < MOST / 2 { (chunk, place) } else { (chunk + 1, place - MOST / 2) }
    }

    /// Sets the value of a key, and returns the value that it had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.find(&key) {
            (chunk, Ok(place)) => Some(std::mem::replace(&mut self.0[chunk][place].1, value)),
            (chunk, Err(place)) => {
                self.add(chunk, place, (key, value));
                None
            }
        }
    }

    /// Removes a key, and returns the value that it had.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let (chunk, place) = self.find(key);
        let place = place.ok()?;
        let entry = self.0[chunk].remove(place);
        if self.0[chunk].is_empty() {
            self.0.remove(chunk);
        }
        Some(entry.1.clone())
    }

    /// Removes all entries but those for which the function is true.
    pub fn retain(&mut self, keep: impl Fn(&K, &V) -> bool) {
        let removed = self.iter().filter(|(key, value)| !keep(key, value)).map(|(key, _)| key.clone());
        for key in removed.collect::<Vec<K>>() {
            self.remove(&key);
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
pub struct Place<'a, K, V> {
    map: &'a mut Map<K, V>,
    key: K,
}

impl<'a, K: Ord + Clone, V: Clone> Place<'a, K, V> {
    /// The value to be changed. If there is none, the key gets this one first.
    pub fn or_insert_with(self, make: impl FnOnce() -> V) -> &'a mut V {
        let Self { map, key } = self;
        let (chunk, place) = match map.find(&key) {
            (chunk, Ok(place)) => (chunk, place),
            (chunk, Err(place)) => map.add(chunk, place, (key, make())),
        };
        &mut map.0[chunk][place].1
    }

    /// The same with this value.
    pub fn or_insert(self, value: V) -> &'a mut V {
        self.or_insert_with(|| value)
    }

    /// The same with the default value.
    pub fn or_default(self) -> &'a mut V
    where
        V: Default,
    {
        self.or_insert_with(V::default)
    }
}

/// The entries of a map in the order of their keys.
pub struct Iter<'a, K, V> {
    chunks: slice::Iter<'a, Chunk<K, V>>,
    entries: slice::Iter<'a, Entry<K, V>>,
}

impl<'a, K, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.entries.next() {
                return Some((&entry.0, &entry.1));
            }
            self.entries = self.chunks.next()?.iter();
        }
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
        self.0.is(&other.0) || self.iter().eq(other.iter())
    }
}

impl<K: Ord, V: Eq> Eq for Map<K, V> {}

impl<K: Ord + Clone, V: Clone> Extend<(K, V)> for Map<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        entries.into_iter().for_each(|(key, value)| {
            self.insert(key, value);
        });
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
    type IntoIter = Iter<'a, K, V>;

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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[derive(Debug, Clone)]
    enum Change {
        Insert(u16, u8),
        Remove(u16),
        Set(u16, u8),
        Entry(u16, u8),
        Retain(u8),
        Copy,
    }

    fn change() -> impl Strategy<Value = Change> {
        let key = || 0..400u16;
        prop_oneof![
            20 => (key(), any::<u8>()).prop_map(|(key, value)| Change::Insert(key, value)),
            5 => key().prop_map(Change::Remove),
            5 => (key(), any::<u8>()).prop_map(|(key, value)| Change::Set(key, value)),
            5 => (key(), any::<u8>()).prop_map(|(key, value)| Change::Entry(key, value)),
            1 => any::<u8>().prop_map(Change::Retain),
            2 => Just(Change::Copy),
        ]
    }

    fn same(map: &Map<u16, u8>, expected: &BTreeMap<u16, u8>) -> Result<(), TestCaseError> {
        prop_assert!(map.iter().eq(expected.iter()), "{map:?} is not {expected:?}");
        prop_assert_eq!(map.len(), expected.len());
        prop_assert_eq!(map.is_empty(), expected.is_empty());
        prop_assert!(map.0.iter().all(|chunk| !chunk.is_empty() && chunk.len() <= MOST));
        for key in 0..400 {
            prop_assert_eq!(map.get(&key), expected.get(&key));
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn a_map_and_its_copies_are_what_btree_maps_are(changes in prop::collection::vec(change(), 0..800)) {
            let (mut map, mut expected) = (Map::new(), BTreeMap::new());
            let mut copies = vec![(map.clone(), expected.clone())];
            for change in changes {
                match change {
                    Change::Insert(key, value) => prop_assert_eq!(map.insert(key, value), expected.insert(key, value)),
                    Change::Remove(key) => prop_assert_eq!(map.remove(&key), expected.remove(&key)),
                    Change::Set(key, value) => {
                        map.get_mut(&key).into_iter().for_each(|found| *found = value);
                        expected.get_mut(&key).into_iter().for_each(|found| *found = value);
                    }
                    Change::Entry(key, value) => {
                        let one = map.entry(key).or_insert(value);
                        *one = one.wrapping_add(1);
                        let other = expected.entry(key).or_insert(value);
                        *other = other.wrapping_add(1);
                    }
                    Change::Retain(most) => {
                        map.retain(|_, value| *value <= most);
                        expected.retain(|_, value| *value <= most);
                    }
                    Change::Copy => copies.push((map.clone(), expected.clone())),
                }
            }
            copies.push((map, expected));
            for (map, expected) in &copies {
                same(map, expected)?;
                prop_assert_eq!(&expected.clone().into_iter().collect::<Map<_, _>>(), map);
            }
        }
    }
}
