//! Messages that are damaged or made up, as they could be in a file.

use super::*;
use proptest::prelude::*;

fn attributes() -> impl Strategy<Value = Attributes> {
    prop::collection::vec((0_u16..64, prop::collection::vec(any::<u8>(), 0..24)), 0..8).prop_map(Attributes)
}

/// The messages are written field by field (struct ndmsg, struct rtmsg), in the order of bytes of this machine.
#[test]
fn numbers_of_headers_are_read_whatever_their_order_of_bytes() {
    const PERMANENT: u16 = 0x80;
    const NOARP: u16 = 0x40;
    const REACHABLE: u16 = 2;
    let entry = |state: u16, flags: u8, kind: u8| {
        let header =
            [&[AF_BRIDGE, 0, 0, 0][..], &10_u32.to_ne_bytes(), &state.to_ne_bytes(), &[flags, kind]].concat();
        // NDA_LLADDR and NDA_MASTER.
        let attributes = Attributes::default().with(2, [2, 0, 0, 0, 0, 1]).with(9, 12_u32.to_ne_bytes());
        [header, attributes.bytes()].concat()
    };
    for (state, flags, kept) in
        [(PERMANENT, 0, true), (NOARP, 0x40, true), (REACHABLE, 0x10, true), (REACHABLE, 0, false)]
    {
        let message = entry(state, flags, 0xff);
        assert_eq!(is_static(&message), kept, "{state} {flags}");
        let state = if state == REACHABLE { 0 } else { state };
        assert_eq!(bridge::parse_any(&message), Some((state, flags)));
    }
    let route = |flags: u32| {
        let header: [u8; 8] = [AF_INET, 24, 0, 0, 10, 73, 0, 1];
        [&header[..], &flags.to_ne_bytes()].concat()
    };
    // The kernel sets RTNH_F_LINKDOWN by itself; RTNH_F_ONLINK is restored.
    assert_eq!(route::parse_any(&route(0x10 | 4)), Some(route(4)));
    assert!(is_cloned(&route(0x200)) && !is_cloned(&route(2)));
}

proptest! {
    #[test]
    fn attributes_lead_back(attributes in attributes()) {
        prop_assert_eq!(Attributes::parse(&attributes.bytes()), attributes);
    }

    #[test]
    fn no_message_is_too_strange(
        header in prop::collection::vec(any::<u8>(), 0..20), attributes in attributes(),
        rest in prop::collection::vec(any::<u8>(), 0..8),
    ) {
        let message = [header, attributes.bytes(), rest].concat();
        read_any(&message);
    }
}
