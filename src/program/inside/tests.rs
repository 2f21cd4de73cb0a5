//! Mount points as the kernel shows them.

use super::mount_point;

#[test]
fn mount_points_are_read_from_mountinfo() {
    let line = br"38 22 0:33 / /run/a\040b\134c rw,relatime shared:19 - tmpfs tmpfs rw";
    assert_eq!(mount_point(line), Some((r"/run/a b\c".into(), false)));
    let line = b"30 23 0:27 / /proc/sys/fs/binfmt_misc rw shared:9 - autofs systemd-1 rw,fd=29";
    assert_eq!(mount_point(line), Some(("/proc/sys/fs/binfmt_misc".into(), true)));
    assert_eq!(mount_point(b""), None);
}
