//! The regular expressions of `bridge-ports regex`, as far as names of links need them.
//!
//! The crate regex-lite would add 52 kB to the program of all executors, which may be 2.5 MB large.

use crate::values::Invalid;
use std::str::FromStr;

/// A regular expression: characters, `.`, sets, groups, `|`, repetitions, `^` and `$`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Regex(Node);

/// A part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    /// A byte of these ranges; or with `true`, of none of them.
    Byte(Vec<(u8, u8)>, bool),
    /// The begin of the name.
    Begin,
    /// Its end.
    End,
    /// One after the other.
    All(Vec<Node>),
    /// One of them.
    Any(Vec<Node>),
    /// At least so many times, and at most.
    Repeat(Box<Node>, u8, u8),
}

/// The most bytes of a name, and so the most repetitions.
const MOST: u8 = 15;
/// How deep groups may be.
const DEPTH: usize = 4;
const DIGIT: &[(u8, u8)] = &[(b'0', b'9')];
const WORD: &[(u8, u8)] = &[(b'0', b'9'), (b'A', b'Z'), (b'_', b'_'), (b'a', b'z')];

impl Regex {
    /// Whether the expression matches an end of this name, as ifupdown2 asks: the begin may be anywhere unless `^` says
    /// where it is.
    pub fn matches(&self, name: &str) -> bool {
        let end = 1 << name.len().min(31);
        name.len() <= usize::from(MOST) && self.0.ends(name.as_bytes(), end | (end - 1)) & end != 0
    }
}

impl Node {
    /// The places at which a match can end that begins at one of these places; a bit for each.
    fn ends(&self, name: &[u8], from: u32) -> u32 {
        match self {
            Self::Byte(ranges, negated) => {
                let is_in = |byte: u8| ranges.iter().any(|(first, last)| (*first..=*last).contains(&byte));
                let places = name.iter().enumerate().filter(|(_, byte)| is_in(**byte) != *negated);
                (places.fold(0, |bits, (place, _)| bits | 1 << place) & from) << 1
            }
            Self::Begin => from & 1,
            Self::End => from & (1 << name.len()),
            Self::All(nodes) => nodes.iter().fold(from, |from, node| node.ends(name, from)),
            Self::Any(nodes) => nodes.iter().fold(0, |bits, node| bits | node.ends(name, from)),
            Self::Repeat(node, least, most) => {
                let mut now = from;
                for _ in 0..*least {
                    now = node.ends(name, now);
                }
                let mut all = now;
                for _ in *least..*most {
                    now = node.ends(name, now);
                    if now & !all == 0 {
                        break;
                    }
                    all |= now;
                }
                all
            }
        }
    }
}

impl FromStr for Regex {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let mut rest = text.as_bytes();
        match any(&mut rest, 0) {
            Some(node) if rest.is_empty() => Ok(Self(node)),
            _ => {
                let place = text.len() - rest.len();
                let at = text.get(place..).filter(|at| !at.is_empty()).unwrap_or(text);
                Err(Invalid::new(format!("{text}: not understood at {at}; use glob, or name each port")))
            }
        }
    }
}

/// The next byte, if it is this one.
fn take(rest: &mut &[u8], wanted: u8) -> Option<()> {
    *rest = rest.strip_prefix(&[wanted])?;
    Some(())
}

fn any(rest: &mut &[u8], depth: usize) -> Option<Node> {
    let mut nodes = vec![all(rest, depth)?];
    while take(rest, b'|').is_some() {
        nodes.push(all(rest, depth)?);
    }
    Some(Node::Any(nodes))
}

fn all(rest: &mut &[u8], depth: usize) -> Option<Node> {
    let mut nodes = Vec::new();
    while let [first, after @ ..] = *rest {
        let node = match first {
            b'|' | b')' => break,
            b'(' if depth < DEPTH => {
                let mut inner = after.strip_prefix(b"?:").unwrap_or(after);
                let node = any(&mut inner, depth + 1)?;
                take(&mut inner, b')')?;
                *rest = inner;
                node
            }
            b'[' => {
                let (node, after) = set(after)?;
                *rest = after;
                node
            }
            b'\\' => {
                let [escaped, after @ ..] = after else { return None };
                *rest = after;
                match escaped {
                    b'd' | b'D' => Node::Byte(DIGIT.to_vec(), *escaped == b'D'),
                    b'w' | b'W' => Node::Byte(WORD.to_vec(), *escaped == b'W'),
                    _ if escaped.is_ascii_alphanumeric() => return None,
                    _ => Node::Byte(vec![(*escaped, *escaped)], false),
                }
            }
            b'(' | b'*' | b'+' | b'?' | b'{' => return None,
            first => {
                *rest = after;
                match first {
                    b'.' => Node::Byte(Vec::new(), true),
                    b'^' => Node::Begin,
                    b'$' => Node::End,
                    _ => Node::Byte(vec![(*first, *first)], false),
                }
            }
        };
        nodes.push(repeated(node, rest)?);
    }
    Some(Node::All(nodes))
}

/// The node with the `*`, `+`, `?` or `{…}` after it. A `?` after that changes no match.
fn repeated(node: Node, rest: &mut &[u8]) -> Option<Node> {
    let (least, most, after) = match *rest {
        [b'*', after @ ..] => (0, MOST, after),
        [b'+', after @ ..] => (1, MOST, after),
        [b'?', after @ ..] => (0, 1, after),
        [b'{', after @ ..] => {
            let end = after.iter().position(|byte| *byte == b'}')?;
            let text = std::str::from_utf8(&after[..end]).ok()?;
            let (least, most) = text.split_once(',').unwrap_or((text, text));
            let number = |text: &str, none: u8| if text.is_empty() { Some(none) } else { text.parse().ok() };
            let least = if text.is_empty() { None } else { number(least, 0) };
            (least?, number(most, MOST)?, &after[end + 1..])
        }
        _ => return Some(node),
    };
    if least > most || most > MOST {
        return None;
    }
    *rest = after.strip_prefix(b"?").unwrap_or(after);
    Some(Node::Repeat(Box::new(node), least, most))
}

/// A set after its `[`, and what is after it.
fn set(text: &[u8]) -> Option<(Node, &[u8])> {
    let (negated, text) = text.strip_prefix(b"^").map_or((false, text), |text| (true, text));
    // A `]` in the first place is a member.
    let end = 1 + text.get(1..)?.iter().position(|byte| *byte == b']')?;
    let (mut members, mut ranges) = (&text[..end], Vec::new());
    while let [first, rest @ ..] = members {
        members = match (first, rest) {
            (b'\\', [b'd', rest @ ..]) => {
                ranges.extend(DIGIT);
                rest
            }
            (b'\\', [b'w', rest @ ..]) => {
                ranges.extend(WORD);
                rest
            }
            (b'\\', [escaped, rest @ ..]) if !escaped.is_ascii_alphanumeric() => {
                ranges.push((*escaped, *escaped));
                rest
            }
            (b'\\', _) => return None,
            (first, [b'-', last, rest @ ..]) if first <= last => {
                ranges.push((*first, *last));
                rest
            }
            (_, [b'-', _, ..]) => return None,
            (first, rest) => {
                ranges.push((*first, *first));
                rest
            }
        };
    }
    Some((Node::Byte(ranges, negated), &text[end + 1..]))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Each was asked of `re.search(pattern + '$', name)` in Python, as ifupdown2 does.
    #[test]
    fn it_matches_as_in_ifupdown2() {
        for (pattern, names, others) in [
            ("swp.*", "swp1 swp swp1.100 xswp1", "sw eth0"),
            ("^swp.*", "swp1", "xswp1"),
            ("(swp[1|2|3].100)", "swp1.100 swp3x100 swp|.100", "swp4.100 swp1.1000 swp12.100"),
            (r"swp\d+", "swp1 swp12", "swp swp1.100"),
            (r"swp\d+(\.\d{1,4})?", "swp1 swp1.100", "swp1. swp1.12345"),
            ("eth[0-3]|en.+", "eth3 eno1", "eth4 en"),
            ("[^e].*[0-9]", "eth0 lan0", "e"),
            ("(?:a|b{2,}){2}", "aa abb bbbb", "a b ab"),
            ("a*?", "a aaa b", ""),
            ("", "eth0", ""),
            ("(a|)b", "b ab", "a"),
            ("^(a|b)*$", "ab", "abc"),
            (r"[\w-]+[]x]", "a-]", "a-"),
            ("()*a", "a", "b"),
        ] {
            let regex: Regex = pattern.parse().unwrap();
            let wrong = |names: &str, expected: bool| -> Vec<String> {
                let names = names.split(' ').filter(|name| !name.is_empty());
                names.filter(|name| regex.matches(name) != expected).map(str::to_owned).collect()
            };
            assert_eq!((wrong(names, true), wrong(others, false)), (vec![], vec![]), "{pattern}");
        }
    }

    #[test]
    fn what_it_does_not_know_is_refused() {
        let deep = "(".repeat(5) + &")".repeat(5);
        for pattern in [
            "(", ")", "a)", "*a", "a{2", "a{3,2}", "a{99}", "[a", "[z-a]", r"a\", r"\1", r"\b", "(?=a)",
            "a{}", &deep,
        ] {
            let error = pattern.parse::<Regex>().unwrap_err().to_string();
            assert!(error.ends_with("; use glob, or name each port"), "{error}");
        }
    }
}
