//! Restores addresses.

use crate::kernel::netlink::raw::{Attributes, Object, ip, number};
use crate::kernel::netlink::saved::link::Link;
use crate::kernel::netlink::saved::{AF_INET6, Change, Restoration};
use crate::state::{Noun, Subject};
use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};

const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;

// Attributes (include/uapi/linux/if_addr.h).
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_CACHEINFO: u16 = 6;
const IFA_FLAGS: u16 = 8;
/// Address, local address, label, broadcast address, metric of its route, protocol.
const KEPT: [u16; 6] = [1, 2, 3, 4, 9, 11];

/// A temporary address, which the kernel makes from another one. For IPv4 the bit means a secondary address.
const IFA_F_TEMPORARY: u32 = 1;
const IFA_F_NODAD: u32 = 2;
/// An address that the kernel still checks for duplicates, or for which it found one.
const UNUSABLE: u32 = 0x40 | 0x8;
/// The flags that can be set: no check for duplicates, home address, temporary addresses are made from it, no route of
/// its prefix, join the multicast group.
const SETTABLE: u32 = IFA_F_NODAD | 0x10 | 0x100 | 0x200 | 0x400;

/// An address.
#[derive(Debug, Clone)]
struct Address {
    family: u8,
    prefix: u8,
    scope: u8,
    index: u32,
    flags: u32,
    /// The attributes that can be set, without flags and lifetimes.
    attributes: Attributes,
    /// Preferred and valid, in seconds.
    lifetimes: (u32, u32),
}

impl Address {
    fn parse(answer: &[u8]) -> Option<Self> {
        let object = Object::parse(answer, 8)?;
        let attributes = &object.attributes;
        let lifetimes =
            attributes.get(IFA_CACHEINFO).and_then(|info| Some((number(info)?, number(info.get(4..)?)?)));
        Some(Self {
            family: object.byte(0),
            prefix: object.byte(1),
            scope: object.byte(3),
            index: object.number(4),
            flags: attributes.number(IFA_FLAGS).unwrap_or_else(|| object.byte(2).into()),
            attributes: attributes.only(&KEPT),
            lifetimes: lifetimes.unwrap_or((u32::MAX, u32::MAX)),
        })
    }

    fn is_usable(&self) -> bool {
        self.family != AF_INET6 || self.flags & UNUSABLE == 0
    }

    /// Whether the kernel makes it by itself from another one.
    fn is_temporary(&self) -> bool {
        self.family == AF_INET6 && self.flags & IFA_F_TEMPORARY != 0
    }

    /// Whether this address, which exists, is as good as the saved one. Time changes lifetimes.
    fn is_like(&self, saved: &Self) -> bool {
        let of = |address: &Self| {
            let kind = |seconds: u32| match seconds {
                0 => 0,
                u32::MAX => 2,
                _ => 1,
            };
            (
                (address.family, address.prefix, address.scope, address.flags & SETTABLE),
                (kind(address.lifetimes.0), kind(address.lifetimes.1)),
            )
        };
        let sorted = |address: &Self| {
            let mut attributes = address.attributes.0.clone();
            attributes.sort();
            attributes
        };
        of(self) == of(saved) && sorted(self) == sorted(saved) && (self.is_usable() || !saved.is_usable())
    }

    fn subject(&self, link: &Link) -> Subject {
        let bytes = [IFA_LOCAL, IFA_ADDRESS].into_iter().find_map(|kind| self.attributes.get(kind));
        let address = bytes.and_then(ip).map(|address| address.to_string()).unwrap_or_default();
        Subject::of(Noun::Address, format!("{address}/{}", self.prefix), &link.name)
    }

    fn header(&self) -> Vec<u8> {
        [[self.family, self.prefix, 0, self.scope], self.index.to_ne_bytes()].concat()
    }

    fn deletion(&self) -> Change {
        let attributes = self.attributes.only(&[IFA_ADDRESS, IFA_LOCAL]);
        Change { number: RTM_DELADDR, flags: 0, object: Object { header: self.header(), attributes } }
    }

    fn addition(&self, flag: u16, more_flags: u32) -> Change {
        let mut attributes = self.attributes.clone();
        attributes.push(IFA_FLAGS, ((self.flags & SETTABLE) | more_flags).to_ne_bytes());
        let times = [self.lifetimes.0, self.lifetimes.1, 0, 0];
        attributes.push(IFA_CACHEINFO, times.into_iter().flat_map(u32::to_ne_bytes).collect::<Vec<u8>>());
        let object = Object { header: self.header(), attributes };
        Change { number: RTM_NEWADDR, flags: NLM_F_CREATE | flag, object }
    }
}

impl Restoration {
    /// Restores the addresses of links, in their order: the first address of a subnet is the primary one, and the
    /// kernel prefers the first one as a source.
    pub fn restore_addresses(&mut self) {
        let Some(view) = self.view() else { return };
        for site in 0..self.sites.len() {
            let links = self.sites.get(site).map(|of| view.touched(site, &of.links)).unwrap_or_default();
            if links.is_empty() {
                continue;
            }
            let Some(now) = self.now(site, Noun::Address) else { continue };
            let all = |answers: &[Vec<u8>]| -> Vec<Address> {
                let all = answers.iter().filter_map(|answer| Address::parse(answer));
                all.filter(|address| !address.is_temporary()).collect()
            };
            let (saved, now) = (all(&self.saved(site, Noun::Address)), all(&now));
            for (then, link) in links {
                for is_ipv6 in [false, true] {
                    let of = |addresses: &[Address], index: u32| -> Vec<Address> {
                        let own = addresses.iter().filter(|address| address.index == index);
                        let own = own.filter(|address| (address.family == AF_INET6) == is_ipv6);
                        own.map(|address| Address { index: link.index, ..address.clone() }).collect()
                    };
                    let (mut wanted, mut has) = (of(&saved, then.index), of(&now, link.index));
                    // The kernel inserts a new IPv6 address before the others.
                    if is_ipv6 {
                        wanted.reverse();
                        has.reverse();
                    }
                    let same =
                        has.iter().zip(&wanted).take_while(|(has, wanted)| has.is_like(wanted)).count();
                    // Secondary addresses are deleted before the primary one, which would take them along.
                    for address in has.iter().skip(same).rev() {
                        self.delete(site, address.subject(&link), address.deletion());
                    }
                    for address in wanted.iter().skip(same) {
                        self.add_address(site, &link, address);
                    }
                }
            }
        }
    }

    /// Adds an address. One that was checked for duplicates before is not checked again: it can be used at once.
    fn add_address(&mut self, site: usize, link: &Link, address: &Address) {
        let is_checked =
            address.family == AF_INET6 && address.is_usable() && address.flags & IFA_F_NODAD == 0;
        let nodad = if is_checked { IFA_F_NODAD } else { 0 };
        let mut outcome = self.send(site, address.addition(NLM_F_EXCL, nodad));
        if outcome.is_ok() && is_checked {
            // The kernel has not started a check, and does not start one now.
            outcome = self.send(site, address.addition(NLM_F_REPLACE, 0));
        }
        self.note(site, address.subject(link), outcome);
    }
}

/// Decodes and encodes a message, whatever it is.
#[cfg(any(test, fuzzing))]
pub(super) fn parse_any(message: &[u8]) {
    if let Some(address) = Address::parse(message) {
        drop((address.deletion().object, address.addition(0, 0).object, address.is_like(&address)));
    }
}
