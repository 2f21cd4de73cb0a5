//! The text of the record of applied stanzas.

use super::*;

fn section(keywords: &[&str], values: &[(&str, &str)]) -> Section {
    let own = |text: &&str| (*text).to_owned();
    Section {
        keywords: keywords.iter().map(own).collect(),
        index: Some(7),
        file: Some(PathBuf::from("/etc/network/a b\n")),
        values: values.iter().map(|(keyword, value)| (own(keyword), own(value))).collect(),
        ports: Some("eth0 eth1".to_owned()),
        lines: [("use", "link"), ("up", "a \\ b")]
            .map(|(name, value)| (own(&name), own(&value)))
            .into_iter()
            .collect(),
    }
}

fn applied() -> Applied {
    let first = section(&["vrf-rules", "vrf-table"], &[("vrf-rules", "yes"), ("vrf-table", "10")]);
    let second = Section {
        index: None,
        file: None,
        ports: None,
        lines: Shared::default(),
        ..section(&["netns"], &[("netns", "a\\n\nb \\\r")])
    };
    Applied { id: NetnsId { boot: 1, inode: 2, cookie: None, born: 3 }, sections: vec![first, second] }
}

#[test]
fn is_read_as_it_was_written() {
    assert_eq!(Applied::parse(&applied().to_string()), Some(applied()));
}

#[test]
fn a_part_of_it_is_no_record_of_something_else() {
    let text = applied().to_string();
    for end in 0..text.len() {
        if let Some(part) = Applied::parse(&text[..end]) {
            assert!(part.sections.len() <= 2, "{part:?}");
        }
    }
    assert_eq!(Applied::parse("nonsense"), None);
    assert_eq!(Applied::parse("2 - 3 1\n+vrf red\n"), None);
}

#[test]
fn one_stanza_of_two_programs_is_one_section() {
    let mut applied = Applied::default();
    let values = [("vrf-rules", "yes"), ("vrf-table", "10")];
    applied.add(section(&["vrf-table"], &values));
    applied.add(section(&["vrf-rules"], &values));
    assert_eq!(applied.sections, [section(&["vrf-rules", "vrf-table"], &values)]);
}

#[test]
fn the_lines_of_others_stay_known() {
    let mut applied = Applied::default();
    let unknown = Section { lines: Shared::default(), ..section(&["netns"], &[("netns", "red")]) };
    applied.add(unknown.clone());
    applied.add(section(&["netns"], &[("netns", "red")]));
    applied.add(unknown);
    assert_eq!(applied.sections, [section(&["netns"], &[("netns", "red")])]);
}

#[test]
fn the_end_of_an_edit_leaves_the_keywords_of_other_programs() {
    let mut applied = Applied::default();
    let (old, new) = ([("netns", "red"), ("vrf-table", "10")], [("netns", "red"), ("vrf-table", "11")]);
    applied.add(section(&["netns", "vrf-table"], &old));
    applied.add(section(&["vrf-table"], &new));
    applied.remove(&["vrf", "vrf-table"], |of| of.values != section(&[], &new).values);
    assert_eq!(applied.sections, [section(&["netns"], &old), section(&["vrf-table"], &new)]);
    applied.remove(&["netns"], |_| true);
    assert_eq!(applied.sections, [section(&["vrf-table"], &new)]);
}

#[test]
fn what_ifupdown_ng_adds_makes_no_other_stanza() {
    let written = section(&[], &[("bridge-stp", "no")]);
    let added =
        section(&[], &[("bridge-stp", "no"), ("bridge-ports", "eth0 eth1"), ("requires", "eth0 eth1")]);
    assert!(written.is_same(&added));
    assert!(!written.is_same(&section(&[], &[("bridge-stp", "yes")])));
    assert!(!written.is_same(&Section { ports: Some("eth0".to_owned()), ..added }));
}

#[test]
fn a_stanza_that_moved_belongs_to_the_file_that_has_it_now() {
    let file = |path: &str| Some(PathBuf::from(path));
    let stanza = section(&["netns"], &[("netns", "red")]);
    let mut applied = Applied::default();
    applied.add(Section { file: file("a"), ..stanza.clone() });
    applied.add(Section { file: file("b"), ..stanza.clone() });
    assert_eq!((applied.sections.len(), &applied.sections[0].file), (1, &file("b")));
    applied.add(Section { file: None, ..stanza });
    assert_eq!((applied.sections.len(), &applied.sections[0].file), (1, &file("b")));
}
