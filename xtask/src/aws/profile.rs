//! A profile of AWS's shared files: `credentials`, which counts first, and `config`.

use std::path::PathBuf;

use anyhow::Result;

use super::machine::{Machine, read};

const DEFAULT: &str = "default";

/// What is read of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Profile {
    pub(super) name: String,
    /// The file in which keys are looked for first.
    pub(super) file: PathBuf,
    /// Whether either file has it.
    pub(super) is_there: bool,
    pub(super) key_id: Option<String>,
    pub(super) secret_key: Option<String>,
    pub(super) session_token: Option<String>,
    pub(super) region: Option<String>,
}

impl Profile {
    pub(super) fn read(machine: &Machine) -> Result<Self> {
        let name = machine.variable("AWS_PROFILE").unwrap_or_else(|| DEFAULT.to_owned());
        let file = machine.file("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials");
        let config = read(&machine.file("AWS_CONFIG_FILE", ".aws/config"))?;
        let section = if name == DEFAULT { name.clone() } else { format!("profile {name}") };
        let sections = [find_section(&read(&file)?, &name), find_section(&config, &section)];
        let is_there = sections.iter().any(Option::is_some);
        let settings: Vec<_> = sections.into_iter().flatten().flatten().collect();
        let find = |wanted: &str| {
            let found = settings.iter().find(|(name, value)| name == wanted && !value.is_empty());
            found.map(|(_, value)| value.clone())
        };
        Ok(Self {
            file,
            is_there,
            key_id: find("aws_access_key_id"),
            secret_key: find("aws_secret_access_key"),
            session_token: find("aws_session_token"),
            region: find("region"),
            name,
        })
    }
}

/// Settings of a section, in their order; lines that go on the one before say nothing that is read here.
fn find_section(text: &str, wanted: &str) -> Option<Vec<(String, String)>> {
    let mut found: Option<Vec<(String, String)>> = None;
    let mut is_wanted = false;
    for line in text.lines().filter(|line| !line.starts_with(['#', ';', ' ', '\t'])) {
        if let Some(name) = line.trim_end().strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            is_wanted = name.split_whitespace().eq(wanted.split_whitespace());
            if is_wanted {
                found.get_or_insert_default();
            }
        } else if let (true, Some(settings), Some((name, value))) =
            (is_wanted, found.as_mut(), line.split_once('='))
        {
            settings.push((name.trim().to_lowercase(), value.trim().to_owned()));
        }
    }
    found
}
