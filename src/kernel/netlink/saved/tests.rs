//! Messages that are damaged or made up, as they could be in a file.

use super::*;
use crate::kernel::netlink::raw::ip;
use proptest::prelude::*;

fn attributes() -> impl Strategy<Value = Attributes> {
    prop::collection::vec((0_u16..64, prop::collection::vec(any::<u8>(), 0..24)), 0..8).prop_map(Attributes)
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
        let _ = (is_cloned(&message), is_static(&message), number(&message), ip(&message));
        for link in link::parse(std::slice::from_ref(&message)) {
            let _ = (link.settings(), link.port_settings(), link.creation_data(), link.creation(true));
            let _ = (link.table(), link.alternative_names(), link.addr_gen_mode(), link.is_alike(&link));
        }
        bridge::parse_any(&message);
        address::parse_any(&message);
        nexthop::parse_any(&message);
        route::parse_any(&message);
        rule::parse_any(&message);
        let messages = Noun::MESSAGES.into_iter().map(|noun| (noun, vec![message.clone()])).collect();
        let saved = Saved { places: [(Place::Here, SavedPlace { messages, ..SavedPlace::default() })].into() };
        let links = Links::from([(Place::Here, BTreeSet::from(["eth0".parse().unwrap()]))]);
        let _ = affected(&saved, &links);
    }
}
