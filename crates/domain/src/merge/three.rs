//! A value of each of the three documents, and the rule of the three-way merge.

use std::ops::{Index, IndexMut};

/// Names one of the three documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Base,
    Ours,
    Theirs,
}

/// The three documents.
pub(super) const SIDES: [Side; 3] = [Side::Base, Side::Ours, Side::Theirs];

/// The two that are merged.
pub(super) const BOTH: [Side; 2] = [Side::Ours, Side::Theirs];

impl Side {
    /// Returns the other one of the two that are merged.
    pub(super) fn other(self) -> Self {
        match self {
            Side::Theirs => Side::Ours,
            Side::Ours | Side::Base => Side::Theirs,
        }
    }
}

/// A value of each document.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Three<T> {
    pub(super) base: T,
    pub(super) ours: T,
    pub(super) theirs: T,
}

impl<T> Three<T> {
    /// Returns what a function gives for each side.
    pub(super) fn of(mut make: impl FnMut(Side) -> T) -> Self {
        Self {
            base: make(Side::Base),
            ours: make(Side::Ours),
            theirs: make(Side::Theirs),
        }
    }

    /// Returns what a function makes of each value.
    pub(super) fn map<U>(self, mut make: impl FnMut(T) -> U) -> Three<U> {
        Three {
            base: make(self.base),
            ours: make(self.ours),
            theirs: make(self.theirs),
        }
    }
}

impl<T: PartialEq> Three<T> {
    /// Returns the side whose value holds after a merge: the one that changed, if only one did.
    /// `None` when both changed to something different.
    pub(super) fn merged(&self) -> Option<Side> {
        if self.ours == self.theirs || self.base == self.theirs {
            Some(Side::Ours)
        } else if self.base == self.ours {
            Some(Side::Theirs)
        } else {
            None
        }
    }
}

impl<T> Index<Side> for Three<T> {
    type Output = T;

    fn index(&self, side: Side) -> &T {
        match side {
            Side::Base => &self.base,
            Side::Ours => &self.ours,
            Side::Theirs => &self.theirs,
        }
    }
}

impl<T> IndexMut<Side> for Three<T> {
    fn index_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Base => &mut self.base,
            Side::Ours => &mut self.ours,
            Side::Theirs => &mut self.theirs,
        }
    }
}

/// A thing that both documents have which are merged, and maybe the base.
pub(super) struct Versions<'a, T> {
    pub(super) base: Option<&'a T>,
    pub(super) ours: &'a T,
    pub(super) theirs: &'a T,
}

impl<T> Clone for Versions<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Versions<'_, T> {}

impl<'a, T> Versions<'a, T> {
    /// Returns what stands in all three, if the two that are merged have it.
    pub(super) fn of(all: &Three<Option<&'a T>>) -> Option<Self> {
        Some(Self {
            base: all.base,
            ours: all.ours?,
            theirs: all.theirs?,
        })
    }

    /// Returns a part of each.
    pub(super) fn part<U>(self, get: impl Fn(&'a T) -> &'a U) -> Versions<'a, U> {
        Versions {
            base: self.base.map(&get),
            ours: get(self.ours),
            theirs: get(self.theirs),
        }
    }

    /// Returns what holds after a merge by a measure of sameness; `None` when both changed it.
    pub(super) fn merged_by(self, is_same: impl Fn(&T, &T) -> bool) -> Option<&'a T> {
        let is_base = |one| self.base.is_some_and(|base| is_same(base, one));
        if is_same(self.ours, self.theirs) || is_base(self.theirs) {
            Some(self.ours)
        } else {
            Some(self.theirs).filter(|_| is_base(self.ours))
        }
    }
}
