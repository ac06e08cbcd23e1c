//! Case files: many small cases in one text file, each of one or more source files.
//!
//! ```text
//! Free text before the first case says what the file is about.
//! === a name that is unique in the file
//! style: compressed
//! expect: error
//! --- input.scss
//! @use "colours";
//! --- _colours.scss crlf
//! $red: #f00;
//! ```
//!
//! The first file is the entry. Both settings may be left out: the style is then expanded, and the case compiles.
//! `crlf` after a file's name ends its lines as Windows does, `bom` puts a byte order mark before it, `bare` drops
//! the last line's end.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};

use crate::{Job, Style};

/// A case as it stands in its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// The path of the case file below the folder of cases, without its extension.
    pub area: String,
    pub name: String,
    pub style: Style,
    pub expected: Expected,
    /// Never empty; the first is the entry.
    pub files: Vec<SourceFile>,
}

/// What a case asserts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// The reference's CSS.
    Css,
    /// An error of any wording, as the reference gives one.
    Error,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    pub path: String,
    pub text: String,
}

impl Case {
    /// Area and name, unique among all cases.
    pub fn id(&self) -> String {
        format!("{}: {}", self.area, self.name)
    }

    /// Writes the files into a folder that only this case uses.
    pub fn write_to(&self, folder: &Path) -> Result<Job> {
        for file in &self.files {
            let path = folder.join(&file.path);
            let parent = path.parent().context("a file in a folder has a parent")?;
            fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
            fs::write(&path, &file.text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        let entry = self.files.first().with_context(|| format!("{} has no file", self.id()))?;
        let load_paths = vec![folder.join("load_path")];
        Ok(Job { name: self.id(), entry: folder.join(&entry.path), load_paths, style: self.style })
    }
}

/// Reads every `.case` file below a folder, in the order of their paths.
pub fn read_all(folder: &Path) -> Result<Vec<Case>> {
    let mut paths = Vec::new();
    find_case_files(folder, &mut paths)?;
    paths.sort();
    let mut cases: Vec<Case> = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let area = path.strip_prefix(folder)?.with_extension("").to_string_lossy().into_owned();
        for case in parse(&area, &text).with_context(|| format!("in {}", path.display()))? {
            ensure!(cases.iter().all(|known| known.id() != case.id()), "{} stands twice", case.id());
            cases.push(case);
        }
    }
    Ok(cases)
}

fn find_case_files(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            find_case_files(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "case") {
            found.push(path);
        }
    }
    Ok(())
}

/// The cases of one file.
pub fn parse(area: &str, text: &str) -> Result<Vec<Case>> {
    let mut cases: Vec<Case> = Vec::new();
    for block in format!("\n{text}").split("\n=== ").skip(1) {
        let case = parse_case(area, block)?;
        ensure!(!case.files.is_empty(), "case {:?} has no file", case.name);
        cases.push(case);
    }
    Ok(cases)
}

fn parse_case(area: &str, block: &str) -> Result<Case> {
    let mut parts = block.split("\n--- ");
    let mut head = parts.next().unwrap_or_default().lines();
    let name = head.next().unwrap_or_default().trim().to_owned();
    let mut case = Case {
        area: area.to_owned(),
        name,
        style: Style::Expanded,
        expected: Expected::Css,
        files: Vec::new(),
    };
    for setting in head.map(str::trim).filter(|line| !line.is_empty()) {
        match setting {
            "style: compressed" => case.style = Style::Compressed,
            "expect: error" => case.expected = Expected::Error,
            _ => bail!("case {:?} has the unknown setting {setting:?}", case.name),
        }
    }
    for part in parts {
        case.files.push(parse_file(part).with_context(|| format!("in case {:?}", case.name))?);
    }
    Ok(case)
}

fn parse_file(part: &str) -> Result<SourceFile> {
    let (head, body) = part.split_once('\n').unwrap_or((part, ""));
    let mut words = head.split_whitespace();
    let path = words.next().context("a file has no name")?.to_owned();
    let mut text = format!("{}\n", body.trim_end_matches('\n'));
    for word in words {
        match word {
            "crlf" => text = text.replace('\n', "\r\n"),
            "bom" => text.insert(0, '\u{feff}'),
            "bare" => text.truncate(text.trim_end_matches(['\r', '\n']).len()),
            _ => bail!("file {path} has the unknown attribute {word:?}"),
        }
    }
    Ok(SourceFile { path, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "about\n\n=== one\nstyle: compressed\n--- input.scss\na {b: c}\n\n=== two\nexpect: error\n\
                        --- input.sass crlf bom\na\n  b: c\n--- _d.scss bare\n$e: f;\n";

    fn file(path: &str, text: &str) -> SourceFile {
        SourceFile { path: path.into(), text: text.into() }
    }

    #[test]
    fn cases_are_read_with_their_settings_and_files() {
        let case = |name: &str, style, expected, files| Case {
            area: "x".into(),
            name: name.into(),
            style,
            expected,
            files,
        };
        assert_eq!(
            parse("x", TEXT).unwrap(),
            [
                case("one", Style::Compressed, Expected::Css, vec![file("input.scss", "a {b: c}\n")]),
                case(
                    "two",
                    Style::Expanded,
                    Expected::Error,
                    vec![file("input.sass", "\u{feff}a\r\n  b: c\r\n"), file("_d.scss", "$e: f;")],
                ),
            ]
        );
    }

    #[test]
    fn the_case_files_are_read_and_hold_hundreds() {
        let cases = read_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("cases")).unwrap();
        assert!(cases.len() >= 300, "{} cases are left", cases.len());
    }

    #[test]
    fn unknown_words_and_cases_without_files_are_refused() {
        for text in ["=== a\n", "=== a\nstyle: loud\n--- b.scss\n", "=== a\n--- b.scss loud\n"] {
            assert!(parse("x", text).is_err(), "{text:?} was taken");
        }
    }
}
