//! Elements of the sets, and damaged answers.

use super::read_any;
use super::sets::{elements, port, stations};
use crate::state::{Map, Stations, any_allowed};
use crate::values::IfName;
use proptest::prelude::*;

proptest! {
    #[test]
    fn elements_say_which_stations_a_port_has(name in "[a-z]{1,15}", all in prop::collection::btree_set(any_allowed(), 1..9)) {
        let name: IfName = name.parse().unwrap();
        let elements = elements(&name, &all.iter().copied().collect());
        prop_assert!(elements.iter().all(|(_, _, key)| port(key) == Some(name.clone())));
        let wanted: Map<IfName, Stations> = [(name, all.into_iter().collect())].into_iter().collect();
        prop_assert_eq!(stations(&elements), wanted);
    }

    #[test]
    fn no_answer_leads_to_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), length in 0_u32..220) {
        let damaged = [&length.to_ne_bytes(), &*bytes].concat();
        for datagram in [bytes, damaged] {
            read_any(&datagram);
            let _ = port(&datagram);
        }
    }
}
