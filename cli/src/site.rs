//! A folder with a site's Sass: what it holds, and what it still needs.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};

/// Folders that hold other people's Sass.
const FOREIGN: &str = "node_modules";
/// Depth to which style sheets are looked for; deeper ones are served, but not listed.
const MAX_DEPTH: usize = 6;

/// The folder's absolute path.
pub(crate) fn open_folder(folder: &Path) -> anyhow::Result<PathBuf> {
    let root = folder.canonicalize().with_context(|| format!("cannot use {}", folder.display()))?;
    if !root.is_dir() {
        bail!("{} is no folder; name a folder that holds .scss files", folder.display());
    }
    Ok(root)
}

/// The site's absolute path, once it is known to have what it imports.
pub(crate) fn open(folder: &Path) -> anyhow::Result<PathBuf> {
    let root = open_folder(folder)?;
    if let Some(package) = missing_package(&root)? {
        let shown = folder.display();
        bail!("{shown} lacks its npm package {package}; fetch it with: npm ci --prefix {shown}");
    }
    Ok(root)
}

/// The first of `package.json`'s dependencies that is not there.
fn missing_package(root: &Path) -> anyhow::Result<Option<String>> {
    let path = root.join("package.json");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let package: serde_json::Value =
        serde_json::from_str(&text).with_context(|| format!("{} is no JSON", path.display()))?;
    let dependencies = package.get("dependencies").and_then(serde_json::Value::as_object);
    let mut names = dependencies.into_iter().flat_map(|dependencies| dependencies.keys());
    // As Node.js looks for them: here, or in any folder above.
    let is_there = |name: &str| root.ancestors().any(|folder| folder.join(FOREIGN).join(name).is_dir());
    Ok(names.find(|name| !is_there(name)).cloned())
}

/// The paths of all style sheets that visitors can ask for: partials and other people's left out.
pub(crate) fn style_sheets(root: &Path) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    collect(root, "", MAX_DEPTH, &mut found)?;
    found.sort();
    Ok(found)
}

fn collect(folder: &Path, prefix: &str, depth: usize, found: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(['_', '.']) || name == FOREIGN {
            continue;
        }
        if entry.file_type()?.is_dir() {
            if depth > 0 {
                collect(&entry.path(), &format!("{prefix}/{name}"), depth - 1, found)?;
            }
        } else if let Some(stem) = name.strip_suffix(".scss") {
            found.push(format!("{prefix}/{stem}.css"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_npm_packages_are_named_with_the_command_that_fetches_them() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("package.json"), r#"{"dependencies": {"bootstrap": "5"}}"#).unwrap();
        let error = open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("bootstrap") && error.contains("npm ci --prefix"), "{error}");
        assert_eq!(error.lines().count(), 1);
        fs::create_dir_all(folder.path().join("node_modules/bootstrap")).unwrap();
        assert!(open(folder.path()).is_ok());
    }

    #[test]
    fn style_sheets_are_listed_without_partials_and_packages() {
        let folder = tempfile::tempdir().unwrap();
        for path in
            ["app.scss", "_part.scss", "a/b.scss", "node_modules/x/x.scss", ".git/y.scss", "readme.md"]
        {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        assert_eq!(style_sheets(folder.path()).unwrap(), ["/a/b.css", "/app.css"]);
    }
}
