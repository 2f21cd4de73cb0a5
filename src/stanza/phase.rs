//! The phases in which ifupdown-ng runs an executor (ifupdown-executor(7)).

use std::fmt;
use std::str::FromStr;

/// A phase of ifup or ifdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Asks which interfaces this one needs. Must never fail: ifupdown-ng then configures nothing at all.
    Depend,
    /// The interface is created.
    Create,
    /// Before it is up.
    PreUp,
    /// It goes up.
    Up,
    /// After it is up.
    PostUp,
    /// Before it goes down.
    PreDown,
    /// It goes down.
    Down,
    /// After it is down.
    PostDown,
    /// The interface is deleted.
    Destroy,
}

impl Phase {
    /// The phases of ifup, in order.
    pub const UP: [Self; 4] = [Self::Create, Self::PreUp, Self::Up, Self::PostUp];
    /// The phases of ifdown, in order.
    pub const DOWN: [Self; 4] = [Self::PreDown, Self::Down, Self::PostDown, Self::Destroy];

    /// Whether this is a phase of ifdown.
    pub fn is_down(self) -> bool {
        Self::DOWN.contains(&self)
    }

    /// The phase as ifupdown-ng spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Depend => "depend",
            Self::Create => "create",
            Self::PreUp => "pre-up",
            Self::Up => "up",
            Self::PostUp => "post-up",
            Self::PreDown => "pre-down",
            Self::Down => "down",
            Self::PostDown => "post-down",
            Self::Destroy => "destroy",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Phase {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = std::iter::once(Self::Depend).chain(Self::UP).chain(Self::DOWN);
        all.into_iter()
            .find(|phase| phase.as_str() == text)
            .ok_or_else(|| format!("PHASE {text:?}: not a phase"))
    }
}
