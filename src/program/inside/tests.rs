//! Control groups as the kernel shows them.

use super::vrf_group;

#[test]
fn the_control_group_of_a_vrf_is_recognized() {
    for (line, expected) in [
        ("0::/vrf/red", Some(("/vrf", "red"))),
        ("0::/user.slice/session-1.scope/vrf/red", Some(("/user.slice/session-1.scope/vrf", "red"))),
        ("0::/blue-ns/vrf/red/further", Some(("/blue-ns/vrf", "red/further"))),
        ("0::/", None),
        ("0::/system.slice/vrf.service", None),
        ("0::/vrf", None),
        // A control group of version 1.
        ("4:memory:/vrf/red", None),
        ("", None),
    ] {
        assert_eq!(vrf_group(line), expected, "{line}");
    }
}
