//! The program that reads a stanza: one of the two for bridges.

/// The keywords that a program reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The keywords of the executor `bridge-vlan`.
    Vlan,
    /// Also the keywords of the stock executor `bridge`.
    All,
}
