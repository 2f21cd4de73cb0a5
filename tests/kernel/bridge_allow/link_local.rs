//! Frames to the addresses that a bridge does not forward, 01:80:c2:00:00:00 to 0f: they reach the host at the hook
//! `input`. The bridge learns the source of some without any hook (net/bridge/br_input.c).

use super::frames::{Mac, ether, llc, mac_text};
use super::kinds::Frames;
use super::rules::{Actions, Layout, unguarded};
use super::{FIRST, learned, list, send};
use crate::examples::cards;
use crate::lab::{SCRATCH, command, in_lab, ip};
use std::collections::BTreeSet;
use std::fs;

/// Records what passes the hooks `prerouting` and `input` after all rules.
const WATCH: &str = r#"
table bridge watch {
    set prerouting { type ether_addr . ether_addr; flags dynamic; size 4096; }
    set input { type ether_addr . ether_addr; flags dynamic; size 4096; }
    chain prerouting {
        type filter hook prerouting priority 200
        iifname "eth0" update @prerouting { ether saddr . ether daddr }
    }
    chain input {
        type filter hook input priority 200
        iifname "eth0" update @input { ether saddr . ether daddr }
    }
}
"#;

/// What happened to a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// It passed a hook.
    Prerouting,
    Input,
    /// Its source was learned.
    Learned,
}

/// What a frame of a kind is: its Ethernet source is forged, or it has a source of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Forged,
    ForgedLlc,
    Listed,
    ListedLlc,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Forged, Self::ForgedLlc, Self::Listed, Self::ListedLlc];

    /// Each forged frame has its own source, so that it can be recognised.
    fn source(self, last: u8) -> Mac {
        match self {
            Self::Forged => [2, 0xbb, 0, 0, 0, last],
            Self::ForgedLlc => [2, 0xbb, 0, 0, 1, last],
            Self::Listed | Self::ListedLlc => FIRST.mac,
        }
    }
}

type Fates = BTreeSet<(Kind, u8, Fate)>;

/// Sends a frame of this kind to each of the addresses, and says what happened to it.
fn fates(stations: &[crate::lab::Netns], kind: Kind) -> Fates {
    let lldp = [2, 7, 4, 2, 0, 0, 0, 5, 1, 4, 2, 7, b'1', 6, 2, 0, 120, 0, 0];
    let bpdu = [&[0x42, 0x42, 3][..], &[0; 35]].concat();
    let mut frames = Frames::default();
    let to = |last| [1, 0x80, 0xc2, 0, 0, last];
    for last in 0..16 {
        let source = kind.source(last);
        frames.add(
            "",
            match kind {
                Kind::Forged | Kind::Listed => ether(to(last), source, 0x88cc, &lldp),
                Kind::ForgedLlc | Kind::ListedLlc => llc(to(last), source, &bpdu),
            },
        );
    }
    let file = format!("{SCRATCH}/watch.nft");
    fs::write(&file, WATCH).unwrap();
    command(&format!("nft -f {file}")).quiet();
    send(stations, &frames, 0);
    let learned = learned();
    let passed = ["prerouting", "input"]
        .map(|set| command(&format!("nft list set bridge watch {set}")).quiet().stdout);
    command("nft delete table bridge watch").quiet();
    let mut fates = Fates::new();
    for last in 0..16 {
        let source = mac_text(kind.source(last));
        let element = format!("{source} . {}", mac_text(to(last)));
        for (text, fate) in passed.iter().zip([Fate::Prerouting, Fate::Input]) {
            fates.extend(text.contains(&element).then_some((kind, last, fate)));
        }
        // A listed address may be learned.
        let is_forged = matches!(kind, Kind::Forged | Kind::ForgedLlc);
        fates.extend((is_forged && learned.contains(&source)).then_some((kind, last, Fate::Learned)));
    }
    fates
}

fn show(what: &str, fates: &Fates) {
    println!("{what}:");
    for kind in Kind::ALL {
        for fate in [Fate::Prerouting, Fate::Input, Fate::Learned] {
            let last: Vec<String> = fates
                .iter()
                .filter(|(k, _, f)| (*k, *f) == (kind, fate))
                .map(|(_, last, _)| format!("{last:02x}"))
                .collect();
            println!("  {kind:?} {fate:?}: {}", last.join(" "));
        }
    }
}

/// The last bytes of the addresses whose frames had this fate.
fn those(fates: &Fates, kind: Kind, fate: Fate) -> Vec<u8> {
    fates.iter().filter(|(k, _, f)| (*k, *f) == (kind, fate)).map(|(_, last, _)| *last).collect()
}

/// Forged frames, and those of spanning tree, do not pass, and their sources are not learned; LLDP of a listed station
/// passes. Without and with spanning tree.
pub fn test(how: impl Fn(Layout) -> Actions + Sync) {
    for stp in [0, 1] {
        let run = |actions: &dyn Fn(Layout) -> Actions| {
            let stations = cards();
            let actions = actions(Layout::Plain);
            ip(&format!("link set br0 type bridge stp_state {stp} forward_delay 200"));
            (actions.up)(&list(Layout::Plain));
            // The port learns and forwards after twice the delay of 2 s.
            std::thread::sleep(std::time::Duration::from_secs(6));
            Kind::ALL.into_iter().flat_map(|kind| fates(&stations, kind)).collect::<Fates>()
        };
        let free = in_lab(|| run(&unguarded));
        show(&format!("spanning tree {stp}, without rules"), &free);
        let guarded = in_lab(|| run(&how));
        show(&format!("spanning tree {stp}, with rules"), &guarded);
        for kind in Kind::ALL {
            for fate in [Fate::Prerouting, Fate::Input] {
                let mut wanted = if kind == Kind::Listed { those(&free, kind, fate) } else { Vec::new() };
                // Without spanning tree 00 is an address like others, and LLDP neither ARP nor IP.
                wanted.retain(|last| *last != 0);
                assert_eq!(those(&guarded, kind, fate), wanted, "{kind:?} {fate:?}, spanning tree {stp}");
            }
        }
        for kind in [Kind::Forged, Kind::ForgedLlc] {
            assert!(!those(&free, kind, Fate::Learned).is_empty(), "without rules, {kind:?}");
            let learned = those(&guarded, kind, Fate::Learned);
            assert!(learned.is_empty(), "{kind:?} {learned:02x?}");
        }
    }
}
