//! Pages, examples and code agree.

use super::all::ALL;
use super::pages::{pages, readme, tasks};
use super::support::{files, root};
use ifupdown_ng_netlink::program::executor::Program;
use ifupdown_ng_netlink::stanza::Stanza;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_default()
}

/// Programs that combine others have no page for their own keywords.
fn with_page() -> impl Iterator<Item = &'static &'static Program> {
    ALL.iter().filter(|program| {
        let page = format!("docs/interfaces-{}.5.scd", program.name);
        program.name.contains('-') || root().join(page).exists()
    })
}

/// The options of the pages, by the program that the page or the section's heading names: lines like
/// `*vrf-table* ID|NAME|auto`.
fn options() -> BTreeMap<String, BTreeSet<String>> {
    let mut options: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for page in pages() {
        let name = page.name.strip_prefix("interfaces-").and_then(|name| name.strip_suffix(".5"));
        let Some(name) = name else { continue };
        for section in page.text.split("\n# ").filter(|section| section.starts_with("OPTIONS")) {
            let (heading, text) = section.split_once('\n').unwrap();
            let other = heading.strip_prefix("OPTIONS OF THE EXECUTOR ").map(str::to_lowercase);
            let lines = text.lines().filter(|line| line.starts_with('*') && line.contains("* "));
            let lines = lines.map(|line| line.replace(['_', '\\'], ""));
            options.entry(other.unwrap_or_else(|| name.to_owned())).or_default().extend(lines);
        }
    }
    options
}

/// All keywords of all programs, with their values as in `--help`, and nothing else.
#[test]
fn the_pages_have_exactly_the_tables_of_the_programs() {
    let mut options = options();
    let own: BTreeSet<&str> = with_page().map(|program| program.name).collect();
    let (own, composed): (Vec<&Program>, Vec<&Program>) =
        ALL.iter().partition(|program| own.contains(program.name));
    let table = |program: &Program| -> BTreeSet<String> {
        program.keywords().map(|keyword| format!("*{}* {}", keyword.name, keyword.syntax)).collect()
    };
    let mut told = BTreeSet::new();
    for program in own {
        let page = options.remove(program.name).unwrap_or_default();
        assert_eq!(page, table(program), "interfaces-{}.5.scd", program.name);
        told.extend(page);
    }
    // The keywords of their parts are on the pages of the parts.
    for program in composed {
        let section = options.remove(program.name).unwrap_or_default();
        let rest: BTreeSet<String> = table(program).difference(&told).cloned().collect();
        assert_eq!(section, rest, "OPTIONS OF THE EXECUTOR {}", program.name);
    }
    assert!(options.is_empty(), "no program reads {options:?}");
}

/// The stanzas of an interfaces(5) text: name and lines.
fn stanzas(text: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut found: Vec<(String, Vec<(String, String)>)> = Vec::new();
    let joined = text.replace("\\\n", " ");
    for line in joined.lines().map(|line| line.split('#').next().unwrap_or_default().trim()) {
        let (keyword, value) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        match keyword {
            "" | "auto" | "source" | "source-directory" => {}
            "iface" => {
                found.push((value.split_whitespace().next().unwrap_or_default().to_owned(), Vec::new()));
            }
            "template" => found.push((value.to_owned(), Vec::new())),
            _ => found
                .last_mut()
                .expect("a stanza first")
                .1
                .push((keyword.to_owned(), value.trim().to_owned())),
        }
    }
    found
}

/// Fails unless the programs that read a stanza accept it.
fn understood(text: &str, about: &str) -> usize {
    let mut ours = 0;
    for (iface, lines) in stanzas(text) {
        for program in ALL {
            let stanza = Stanza::new(lines.iter().map(|(keyword, value)| (keyword, value)));
            if !stanza.uses(program.keywords().map(|keyword| keyword.name)) {
                continue;
            }
            let (_, problems) = program.configure(&stanza);
            // A program for one keyword does not check the table that another program creates.
            assert!(problems.is_empty(), "{about}: iface {iface}: {}: {problems:?}", program.name);
            ours += 1;
        }
        let known =
            |keyword: &str| ALL.iter().flat_map(|program| program.keywords()).any(|k| k.name == keyword);
        for (keyword, _) in &lines {
            let prefix = keyword.split('-').next().unwrap_or_default();
            let stock = ["bridge-", "veth-"].iter().any(|stock| keyword.starts_with(stock));
            let looks_like_ours = keyword.contains('-') && ALL.iter().any(|program| program.name == prefix);
            assert!(
                !looks_like_ours || stock || known(keyword),
                "{about}: iface {iface}: {keyword} is not known to any program"
            );
        }
    }
    ours
}

#[test]
fn every_example_is_understood() {
    let mut examples = files("interfaces.d", "");
    // Files with the examples that are for other programs.
    examples.retain(|path| path.extension().is_none_or(|ending| ending != "conf"));
    for path in &examples {
        let about = path.strip_prefix(root()).unwrap().display().to_string();
        let ours = understood(&fs::read_to_string(path).unwrap(), &about);
        assert!(ours > 0, "{about}: no stanza that any program reads");
    }
    // Every keyword is shown in some example, once there are examples.
    if examples.is_empty() {
        return super::support::skip("every_example_is_understood", "interfaces.d");
    }
    for program in with_page() {
        let shown = examples.iter().any(|path| {
            let text = fs::read_to_string(path).unwrap();
            stanzas(&text).iter().any(|(_, lines)| {
                let stanza = Stanza::new(lines.iter().map(|(keyword, value)| (keyword, value)));
                stanza.uses(program.keywords().map(|keyword| keyword.name))
            })
        });
        assert!(shown, "no example of {} in interfaces.d", program.name);
    }
}

#[test]
fn every_block_of_a_page_that_is_a_stanza_is_understood() {
    for page in pages() {
        for block in page.stanzas() {
            assert!(understood(block, &page.name) > 0, "{}: {block}", page.name);
        }
    }
    let readme = readme();
    assert!(
        !readme.is_empty() && readme.iter().all(|block| understood(block, "README.md") > 0),
        "{readme:?}"
    );
}

/// Its reachability is tested as a setup of interfaces.d.
#[test]
fn the_first_stanza_of_the_readme_is_a_setup() {
    let lines = |text: &str| -> Vec<String> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.map(str::to_owned).collect()
    };
    let setup = fs::read_to_string(root().join("interfaces.d/management-vrf-reachable")).unwrap();
    assert!(readme().iter().any(|block| lines(block) == lines(&setup)), "README.md has another stanza");
}

/// Links from our texts to files of the package.
#[test]
fn no_text_leads_to_a_file_that_is_not_there() {
    let mut links = 0;
    let texts = files("docs", ".md")
        .into_iter()
        .chain(["README.md", "CONTRIBUTING.md"].map(|name| root().join(name)));
    for path in texts {
        let text = fs::read_to_string(&path).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if !target.contains("://") && !target.starts_with('#') {
                let file = path.parent().unwrap().join(target.split('#').next().unwrap());
                assert!(file.exists(), "{}: {target}", path.display());
                links += 1;
            }
        }
    }
    assert!(links > 40, "{links}");
}

/// The tests on a real kernel run what the tasks of the cookbook show.
#[test]
fn every_task_of_the_cookbook_has_stanzas_and_commands() {
    let tasks = tasks();
    let titles: BTreeSet<&str> = tasks.iter().map(|task| task.title.as_str()).collect();
    assert!(tasks.len() >= 10 && titles.len() == tasks.len(), "{titles:?}");
    for task in &tasks {
        for begin in ["auto ", "# "] {
            assert!(task.blocks.iter().any(|block| block.starts_with(begin)), "{}: {begin}", task.title);
        }
        let known = task.blocks.iter().all(|block| block.starts_with("auto ") || block.starts_with("# "));
        assert!(known, "{}", task.title);
    }
}

/// The first paragraph of the comment at the beginning of a file.
fn about(text: &str) -> String {
    let lines = text.lines().map_while(|line| line.strip_prefix("# "));
    lines.collect::<Vec<_>>().join(" ")
}

/// docs/EXAMPLES.md lists the files of interfaces.d, with what each says of itself. `BLESS=1` rewrites it.
#[test]
fn the_index_has_every_example() {
    let examples = files("interfaces.d", "");
    let examples = examples.iter().filter(|path| path.parent() == Some(&root().join("interfaces.d")));
    let row = |path: &std::path::PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        let about = about(&fs::read_to_string(path).unwrap());
        assert!(about.len() > 20, "{name}: {about}");
        format!("| [{name}](../interfaces.d/{name}) | {about} |\n")
    };
    let rows: String = examples.map(row).collect();
    let index = format!(
        "# Examples\n\nThe files of [interfaces.d](../interfaces.d), each with what it says of itself. Tests bring every one \
         up.\n\n| file | setup |\n|---|---|\n{rows}"
    );
    if std::env::var_os("BLESS").is_some() {
        fs::write(root().join("docs/EXAMPLES.md"), &index).unwrap();
    }
    assert_eq!(read("docs/EXAMPLES.md"), index, "run `BLESS=1 cargo test --test plain`");
}

/// Whether the tests on a real kernel have one whose name is this, or begins with it, as far as the name is written out.
fn kernel_tests() -> impl Fn(&str) -> bool {
    let sources = files("tests/kernel", ".rs").into_iter().map(|path| fs::read_to_string(path).unwrap());
    let sources = sources.collect::<String>();
    move |name| {
        let has = |text: String| sources.contains(&text);
        // Whole, or put together from two parts.
        let parts = name.match_indices(['/', '-']).map(|(at, _)| name.split_at(at + 1));
        let mut known = parts.map(|(first, rest)| has(format!("\"{first}{{")) && has(format!("\"{rest}")));
        has(format!("\"{name}")) || known.any(|known| known)
    }
}

/// Every test that the comparison names exists, by the part of its name that is written out.
#[test]
fn the_comparison_names_tests_that_exist() {
    let is_known = kernel_tests();
    let mut named = 0;
    for name in read("docs/COMPARISON.md").split('`').skip(1).step_by(2).filter(|name| name.contains('/')) {
        assert!(is_known(name), "{name}");
        named += 1;
    }
    assert!(named > 60, "{named}");
}

/// Each row of the tables names tests that exist: those on a real kernel, or functions of the others.
#[test]
fn the_page_on_security_names_tests_that_exist() {
    let is_known = kernel_tests();
    let folders = ["tests/plain", "src", "ifnetlink"].map(|folder| files(folder, ".rs"));
    let sources: Vec<(String, String)> = folders
        .into_iter()
        .flatten()
        .map(|path| (path.display().to_string(), fs::read_to_string(path).unwrap()))
        .collect();
    let is_function = |file: &str, function: &str| {
        let mut files = sources.iter().filter(|(path, _)| path.ends_with(&format!("/{file}.rs")));
        files.any(|(_, text)| text.contains(&format!("fn {function}(")))
    };
    let page = read("docs/SECURITY.md");
    let (mut rows, mut tables) = (0, 0);
    let mut columns = None;
    for line in page.lines() {
        let cells: Vec<&str> = line.split(" | ").collect();
        columns = line.starts_with('|').then(|| columns.unwrap_or(cells.len()));
        if cells[0].starts_with("|---") {
            tables += 1;
        } else if columns.is_some() && !line.ends_with("| tests |") {
            assert_eq!(columns, Some(cells.len()), "{line}");
            let names: Vec<&str> = cells.last().unwrap().split('`').skip(1).step_by(2).collect();
            assert!(!names.is_empty(), "{line}");
            for name in names {
                let known = name
                    .split_once("::")
                    .map_or_else(|| is_known(name), |(file, name)| is_function(file, name));
                assert!(known, "{name}");
            }
            rows += 1;
        }
    }
    assert!(tables == 2 && rows == 24, "{tables} tables with {rows} rows");
    let tests = fs::read_to_string(root().join("tests/kernel/security.rs")).unwrap();
    // The function that lists them.
    let listed = tests.split("\n}\n").next().unwrap();
    let unnamed = listed.lines().filter_map(|line| line.trim().strip_prefix("(\"")?.split('"').next());
    let unnamed: Vec<&str> = unnamed.filter(|name| !page.contains(&format!("`security/{name}`"))).collect();
    assert!(unnamed.is_empty(), "the page does not name {unnamed:?}");
}

/// The numbers in the text are those of the table, each yes names a test, and each other row has its reason.
#[test]
fn the_comparison_counts_its_rows() {
    let page = read("docs/COMPARISON.md");
    let rows = page.lines().filter_map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let number = cells.get(1)?.starts_with(|letter: char| letter.is_ascii_digit());
        number.then(|| {
            assert_eq!(cells.len(), 21, "{line}");
            assert!(cells[3] != "yes" || cells[4].contains('`'), "{line}");
            (cells[1].to_owned(), cells[3].to_owned())
        })
    });
    let (rows, more): (Vec<_>, Vec<_>) = rows.partition(|(number, _)| number.parse::<usize>().is_ok());
    assert!(rows.iter().map(|(number, _)| number).eq(&(1..=72).map(|n| n.to_string()).collect::<Vec<_>>()));
    assert!(more.iter().all(|(_, ours)| ours == "yes"), "{more:?}");
    let count = |answer: &str| rows.iter().filter(|(_, ours)| ours == answer).count();
    let [yes, part, no] = ["yes", "part", "no"].map(count);
    assert_eq!(yes + part + no, rows.len());
    for told in [
        format!(
            "Of the 72 rows, {yes} are a tested yes for this package**, {part} are a part and {no} are a no."
        ),
        format!("The {} other rows are a", more.len()),
    ] {
        assert!(page.contains(&told), "{told}");
    }
    let reasons = page.split("\n## What is not a tested yes\n").nth(1).unwrap();
    let reasons = reasons.lines().filter_map(|line| line.strip_prefix("- ")?.split_once(':'));
    let expected = rows.iter().filter(|(_, ours)| ours != "yes");
    let expected: Vec<String> = expected.map(|(number, ours)| format!("{number}, {ours}")).collect();
    assert_eq!(reasons.map(|(row, _)| row).collect::<Vec<_>>(), expected);
}
