//! Every error text of the programs is under DIAGNOSTICS of a page.
//!
//! The texts are all string literals of the sources that are prose, except those that are known to be something else.
//! So the test finds a new error that no page has, wherever it is created, and an error on a page that no program
//! prints any more. manual.rs tests that the errors of options are really printed.

use super::pages::pages;
use super::support::{files, is_unit_test, root};
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Fields and functions whose texts are what `--help` prints.
const HELP: [&str; 8] = ["about", "after_help", "examples", "flag", "help", "option", "path", "syntax"];

/// Texts that are not errors by themselves, with their purpose.
const OTHER: [(&str, &str); 5] = [
    (
        "Keywords: {text} ifupdown-ng runs this program for every phase of an interface;",
        "what --help ends with",
    ),
    ("the loopback interface", "a part of `… is … and cannot move`"),
    ("vlan on {lower} with id {id}", "a part of `… exists and is a …; ifdown it, or delete it by hand`"),
    ("a message of type {other}", "for readers of the log of the netlink library"),
    ("VLANs without a header", "the same"),
];

/// The literals of a source, without those of tests, attributes (comments on items are attributes too) and help.
fn literals(source: TokenStream, found: &mut Vec<String>) {
    let mut tokens = source.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(mark) if mark.as_char() == '#' => {
                tokens.next_if(|next| next.to_string() == "!");
                let attribute = tokens.next().map(|attribute| attribute.to_string().replace(' ', ""));
                if attribute.as_deref() == Some("[cfg(test)]") {
                    let ends = |token: &TokenTree| match token {
                        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
                        token => token.to_string() == ";",
                    };
                    tokens.by_ref().find(ends);
                }
            }
            TokenTree::Ident(name) if HELP.contains(&name.to_string().as_str()) => {
                tokens.next_if(|next| next.to_string() == ":");
                let help = tokens.next_if(|next| matches!(next, TokenTree::Literal(_) | TokenTree::Group(_)));
                if let Some(TokenTree::Group(group)) = help {
                    let inner = group.stream().into_iter();
                    literals(inner.filter(|token| !matches!(token, TokenTree::Literal(_))).collect(), found);
                }
            }
            TokenTree::Group(group) => literals(group.stream(), found),
            TokenTree::Literal(literal) => {
                let text = literal.to_string();
                if let Some(text) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
                    let joined: String = text.split("\\\n").map(str::trim_start).collect();
                    found.push(joined.replace("\\\"", "\"").replace("\\n", " "));
                }
            }
            _ => {}
        }
    }
}

/// The fixed parts of a text: those between placeholders.
fn fixed(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    for part in text.split('{') {
        parts.push(part.split_once('}').map_or(part, |(_, rest)| rest));
    }
    parts
}

/// Whether it is a message by itself. One word is a name, or a part of another text.
fn is_prose(text: &str) -> bool {
    let letters = |word: &&str| word.chars().filter(|c| c.is_alphabetic()).count() > 1;
    fixed(text).concat().split_whitespace().filter(letters).count() > 1
}

/// Whether a line of a page contains a text: all its parts in their order, from where a text can begin to where one can
/// end.
fn tells(line: &str, text: &str) -> bool {
    let parts = fixed(text);
    let (first, last) = (parts[0], parts[parts.len() - 1]);
    let begins = |at: usize| {
        let before = line[..at].trim_end_matches(' ');
        first.is_empty() || before.is_empty() || first.starts_with([';', ' ']) || before.ends_with([':', ';'])
    };
    let ends = |at: usize| {
        let rest = &line[at..];
        last.is_empty()
            || ["", ": ", "; "].iter().any(|end| rest == *end || (!end.is_empty() && rest.starts_with(end)))
    };
    line.match_indices(first).filter(|(at, _)| begins(*at)).any(|(at, _)| {
        let mut end = at + first.len();
        let middle = parts.iter().skip(1).all(|part| {
            let found = line[end..].find(part);
            end += found.unwrap_or_default() + part.len();
            found.is_some()
        });
        middle && ends(end)
    })
}

/// Leaves out files whose texts are not errors: the steps, which are command lines, and the drawing of `ifnetlink
/// show`.
fn is_of_errors(file: &Path) -> bool {
    let name = file.strip_prefix(root()).unwrap().to_str().unwrap();
    let other = ["src/plan/op/", "src/state/", "ifnetlink/show/"].iter().any(|place| name.starts_with(place));
    name == "src/state/sysctl.rs" || (!other && !is_unit_test(name))
}

#[test]
fn every_error_is_told_in_a_page_and_no_page_has_another() {
    let told: Vec<(String, Vec<String>)> =
        pages().into_iter().map(|page| (page.name.clone(), page.diagnostics())).collect();
    let sources = ["src", "executors", "ifnetlink"].into_iter().flat_map(|place| files(place, ".rs"));
    let (mut missing, mut texts, mut others) = (Vec::new(), 0, BTreeSet::new());
    let mut unsaid: BTreeSet<&String> = told.iter().flat_map(|(_, lines)| lines).collect();
    for file in sources.filter(|file| is_of_errors(file)) {
        let mut found = Vec::new();
        literals(fs::read_to_string(&file).unwrap().parse().unwrap(), &mut found);
        let own = file.parent().unwrap().ends_with("executors");
        let own = own.then(|| format!("interfaces-{}.5", file.file_stem().unwrap().to_str().unwrap()));
        for text in found.into_iter().filter(|text| is_prose(text)) {
            texts += 1;
            unsaid.retain(|line| !tells(line, &text));
            if let Some(place) = OTHER.iter().position(|(other, _)| text.starts_with(other)) {
                others.insert(place);
                continue;
            }
            let mut places = told.iter().filter(|(page, _)| own.as_ref().is_none_or(|own| own == page));
            if !places.any(|(_, lines)| lines.iter().any(|line| tells(line, &text))) {
                missing.push(format!("{}: {text}", file.strip_prefix(root()).unwrap().display()));
            }
        }
    }
    assert!(missing.is_empty(), "no page tells of\n{}", missing.join("\n"));
    assert!(unsaid.is_empty(), "no program prints {unsaid:#?}");
    assert!(texts > 150, "{texts}");
    assert_eq!(others.len(), OTHER.len(), "of OTHER only these are there: {others:?}");
}
