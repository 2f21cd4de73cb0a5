//! Which of the two programs for bridges reads a stanza.

/// Which keywords a program reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Those of the executor `bridge-vlan`.
    Vlan,
    /// Those of the stock executor `bridge` as well.
    All,
}
