//! Lists in an order of their own, whose items are found by the name of their interface.

use ifupdown_ng_netlink::values::IfName;
use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};

/// What is about one interface.
pub trait Named {
    /// The interface.
    fn iface(&self) -> &IfName;
}

/// A list with at most one item for each interface.
pub struct ByName<T> {
    items: Vec<T>,
    places: BTreeMap<IfName, usize>,
}

impl<T: Named> ByName<T> {
    /// The item of an interface.
    pub fn of(&self, iface: &IfName) -> Option<&T> {
        self.items.get(*self.places.get(iface)?)
    }

    /// Removes all items but those for which the function is true.
    pub fn retain(&mut self, keep: impl FnMut(&T) -> bool) {
        let mut items = std::mem::take(&mut self.items);
        items.retain(keep);
        *self = items.into();
    }
}

impl<T: Named> From<Vec<T>> for ByName<T> {
    fn from(items: Vec<T>) -> Self {
        let places = items.iter().enumerate().map(|(place, item)| (item.iface().clone(), place)).collect();
        Self { items, places }
    }
}

impl<T> Deref for ByName<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.items
    }
}

impl<T> DerefMut for ByName<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.items
    }
}

impl<'a, T> IntoIterator for &'a ByName<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.iter()
    }
}
