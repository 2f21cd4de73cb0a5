//! The text of a saved state.

use super::*;
use crate::state::any_allowed;
use proptest::prelude::*;

fn place() -> impl Strategy<Value = Place> {
    prop_oneof![
        Just(Place::Here),
        prop_oneof!["[a-z]{1,9}", "[1-9][0-9]{0,5}", "/[a-z \n/]{0,20}"]
            .prop_map(|netns| Place::In(netns.parse().unwrap())),
    ]
}

fn id() -> impl Strategy<Value = NetnsId> {
    (any::<u128>(), any::<u64>(), any::<Option<u64>>(), any::<i128>())
        .prop_map(|(boot, inode, cookie, born)| NetnsId { boot, inode, cookie, born })
}

fn saved_place() -> impl Strategy<Value = SavedPlace> {
    let messages = prop::collection::vec(
        (prop::sample::select(&Noun::MESSAGES[..]), prop::collection::vec(any::<u8>(), 0..40)),
        0..20,
    );
    let value = || any::<Option<String>>();
    (
        id(),
        prop::collection::btree_map(any::<i32>(), place(), 0..3),
        messages,
        prop::collection::btree_map("net[.][a-z/.]{0,10}[a-z]", value(), 0..3),
        prop::collection::btree_map(".{0,20}", value(), 0..3),
        prop::collection::btree_map("[a-z]{1,9}", prop::collection::btree_set(any_allowed(), 0..4), 0..3),
    )
        .prop_map(|(id, nsids, all, sysctls, records, allowed)| {
            let mut messages: BTreeMap<Noun, Vec<Vec<u8>>> = BTreeMap::new();
            for (noun, bytes) in all {
                messages.entry(noun).or_default().push(bytes);
            }
            let sysctls = sysctls.into_iter().filter_map(|(key, value)| Some((key.parse().ok()?, value)));
            let records = records.into_iter().map(|(name, value)| (Record::of("", &name), value));
            let allowed = allowed
                .into_iter()
                .filter_map(|(port, all)| Some((port.parse().ok()?, all.into_iter().collect())));
            let (sysctls, records, allowed) = (sysctls.collect(), records.collect(), allowed.collect());
            SavedPlace { id, nsids, messages, sysctls, records, allowed }
        })
}

fn saved() -> impl Strategy<Value = Saved> {
    prop::collection::btree_map(place(), saved_place(), 0..4).prop_map(|places| Saved { places })
}

proptest! {
    #[test]
    fn the_text_leads_back(saved in saved()) {
        prop_assert_eq!(Saved::parse(&saved.to_string()), Some(saved));
    }

    #[test]
    fn a_part_of_a_text_is_refused(saved in saved(), at in any::<prop::sample::Index>()) {
        let text = saved.to_string();
        let boundaries: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        prop_assert_eq!(Saved::parse(&text[..*at.get(&boundaries)]), None);
    }

    #[test]
    fn a_damaged_text_is_refused_or_is_another_state(
        saved in saved(), at in any::<prop::sample::Index>(), with in "[0-9a-f \n-]|place|nsid|link|sysctl"
    ) {
        let text = saved.to_string();
        let at = at.index(text.len());
        let damaged = format!("{}{with}{}", &text[..at], &text[at..]);
        if let Some(other) = Saved::parse(&damaged) {
            prop_assert_eq!(other.to_string(), damaged);
        }
    }

    #[test]
    fn any_text_is_refused(text in "(saved 1\n)?(.|\n)*(end\n)?") {
        if let Some(saved) = Saved::parse(&text) {
            prop_assert_eq!(saved.to_string(), text);
        }
    }
}
