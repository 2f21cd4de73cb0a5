//! Records of version 0.1 are read: an upgrade finds them while interfaces are up.

use ifupdown_ng_netlink::state::{NestedRecord, NetnsId, NetnsLinkRecord, Role};
use std::path::Path;

const INODE: u64 = 4_026_532_300;
const BORN: i128 = 1_764_553_105_123_456_789;

/// The namespace as this version sees it.
const NOW: NetnsId = NetnsId { boot: 7, inode: INODE, cookie: Some(5), born: BORN };
/// Another namespace with the same inode, which the kernel reused.
const LATER: NetnsId = NetnsId { cookie: Some(6), born: BORN + 1, ..NOW };
/// A namespace with another inode.
const OTHER: NetnsId = NetnsId { inode: INODE + 1, ..NOW };

fn link(text: &str) -> NetnsLinkRecord {
    NetnsLinkRecord::parse("eth0".parse().unwrap(), Role::Moved, text).unwrap()
}

#[test]
fn a_link_in_a_named_namespace() {
    let found = link(&format!("{INODE} {BORN} lan0 02:00:00:00:77:01 private"));
    assert_eq!((found.link.name.as_str(), found.link.netns.to_string().as_str()), ("lan0", "private"));
    assert_eq!(found.mac, Some("02:00:00:00:77:01".parse().unwrap()));
    assert_eq!(found.index, None);
    assert!(found.id.same(NOW) && !found.id.same(LATER) && !found.id.same(OTHER));
    // Once this version has written it again.
    let again = link(&found.to_string());
    assert_eq!(again, found);
}

#[test]
fn a_link_in_the_namespace_of_a_process() {
    // That version compared the inode only. This one knows when the process started, not the time of its file.
    let found = link(&format!("{INODE} {BORN} lan0 - 4711"));
    assert_eq!((found.mac, found.link.netns.to_string().as_str()), (None, "4711"));
    assert!(found.id.same(NOW) && found.id.same(LATER) && !found.id.same(OTHER));
    assert_eq!(link(&found.to_string()), found);
}

#[test]
fn the_interfaces_file_of_a_namespace() {
    let found = NestedRecord::parse(&format!("{INODE} {BORN} /etc/netns/office/network/interfaces")).unwrap();
    assert_eq!(found.file, Path::new("/etc/netns/office/network/interfaces"));
    assert!(found.id.same(NOW) && !found.id.same(LATER) && !found.id.same(OTHER));
}

#[test]
fn another_text_is_no_record() {
    for text in ["", "lan0", "1 2", "1 x lan0 - blue", "1 2 lan0 -"] {
        let read = NetnsLinkRecord::parse("eth0".parse().unwrap(), Role::Moved, text);
        assert!(read.is_none(), "{text}: {read:?}");
    }
}
