//! Values that are shared until one of them is changed.

use std::ops::{Deref, DerefMut};
use std::rc::Rc;

/// A value that costs nothing to clone. The first change of a clone copies the value. A plan for many interfaces keeps
/// one copy of the state for each step that it tries, and a step changes little of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shared<T>(Rc<T>);

impl<T> Shared<T> {
    /// Whether both are one value, not only equal ones.
    pub fn is(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone> DerefMut for Shared<T> {
    fn deref_mut(&mut self) -> &mut T {
        Rc::make_mut(&mut self.0)
    }
}

impl<T> From<T> for Shared<T> {
    fn from(value: T) -> Self {
        Self(Rc::new(value))
    }
}

impl<T: FromIterator<A>, A> FromIterator<A> for Shared<T> {
    fn from_iter<I: IntoIterator<Item = A>>(entries: I) -> Self {
        T::from_iter(entries).into()
    }
}
