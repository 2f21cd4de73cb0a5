//! Mounts as the kernel shows them.

use super::{Mount, read};

#[test]
fn mounts_are_read_from_mountinfo() {
    let line = br"38 22 0:33 / /run/a\040b\134c rw,relatime shared:19 - tmpfs tmpfs rw";
    let expected =
        Mount { id: 38, parent: 22, root: "/".into(), point: r"/run/a b\c".into(), kind: "tmpfs".to_owned() };
    assert_eq!(read(line), Some(expected));
    let line = b"30 23 0:4 net:[4026532002] /run/netns/red rw - nsfs nsfs rw";
    let expected = Mount {
        id: 30,
        parent: 23,
        root: "net:[4026532002]".into(),
        point: "/run/netns/red".into(),
        kind: "nsfs".to_owned(),
    };
    assert_eq!(read(line), Some(expected));
    for line in [&b""[..], b"30", b"30 23 0:4 / /run rw"] {
        assert_eq!(read(line), None);
    }
}
