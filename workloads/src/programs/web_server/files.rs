//! Files of a folder, found by the path of a request, and none outside it.
//!
//! The path comes from anyone. It is taken apart at its slashes *before* the percent signs are decoded, so that an
//! encoded slash can never make two parts of one; parts that mean "up" and names that begin with a dot are not found;
//! and what is left is resolved by the kernel, symbolic links included, and must still lie in the folder.
//!
//! Not guarded against: someone who changes the folder while a file is looked up. Whoever can do that can put the file
//! in the folder as well.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What is at a path.
#[derive(Debug)]
pub(crate) enum Found {
    /// A file, open for reading, its length in bytes, and its type.
    File(File, u64, &'static str),
    /// A folder that was asked for without the slash at the end; relative links in its page need one. Look there.
    Elsewhere(String),
    /// Nothing that may be seen.
    Nothing,
}

/// Looks `path` up in `root`, which is resolved already (see [`fs::canonicalize`]). Blocks the OS thread.
pub(crate) fn find(root: &Path, path: &str) -> Found {
    let Some(relative) = relative(path) else {
        return Found::Nothing;
    };
    let Ok(mut file) = fs::canonicalize(root.join(relative)) else {
        return Found::Nothing;
    };
    if !file.starts_with(root) {
        return Found::Nothing;
    }
    if file.is_dir() {
        if !path.ends_with('/') {
            // Relative, so that it can lead nowhere but to this server; "./", so that a colon makes no scheme of it.
            let last = path.rsplit('/').next().unwrap_or_default();
            return Found::Elsewhere(format!("./{last}/"));
        }
        let Ok(index) = fs::canonicalize(file.join("index.html")) else {
            return Found::Nothing;
        };
        if !index.starts_with(root) {
            return Found::Nothing;
        }
        file = index;
    } else if path.ends_with('/') {
        return Found::Nothing; // a file is not a folder
    }
    let Ok(open) = File::open(&file) else {
        return Found::Nothing;
    };
    match open.metadata() {
        Ok(metadata) if metadata.is_file() => {
            Found::File(open, metadata.len(), content_type(&file))
        }
        _ => Found::Nothing,
    }
}

/// The path as a path below a folder; none if it is malformed or tries to leave it.
fn relative(path: &str) -> Option<PathBuf> {
    let mut relative = PathBuf::new();
    for part in path.split('/') {
        let part = percent_decode(part)?;
        if part.is_empty() || part == b"." {
            continue;
        }
        if part.starts_with(b".") || part.contains(&b'/') || part.contains(&0) {
            return None;
        }
        relative.push(OsStr::from_bytes(&part));
    }
    Some(relative)
}

/// Replaces `%41` by `A`; none if a percent sign is not followed by two hexadecimal digits.
pub(crate) fn percent_decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    let digit = |byte: u8| char::from(byte).to_digit(16);
    while let Some(byte) = bytes.next() {
        decoded.push(if byte == b'%' {
            let (high, low) = (digit(bytes.next()?)?, digit(bytes.next()?)?);
            (high * 16 + low) as u8
        } else {
            byte
        });
    }
    Some(decoded)
}

/// The type of a file, by the end of its name.
fn content_type(file: &Path) -> &'static str {
    let extension = file.extension().and_then(OsStr::to_str).unwrap_or_default();
    match extension.to_ascii_lowercase().as_str() {
        "html" | "htm" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" | "map" => "application/json",
        "txt" | "md" | "rs" | "toml" => "text/plain; charset=utf-8",
        "xml" => "application/xml",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff" => "font/woff",
        "woff2" => "font/woff2",
        "ttf" => "font/ttf",
        "wasm" => "application/wasm",
        "pdf" => "application/pdf",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::symlink;

    use super::*;

    /// A folder `site` with some files in it, beside a file that nobody may see.
    fn site() -> (tempfile::TempDir, PathBuf) {
        let outer = tempfile::tempdir().unwrap();
        let root = outer.path().join("site");
        fs::create_dir_all(root.join("guide")).unwrap();
        fs::create_dir(root.join("bare")).unwrap();
        fs::write(outer.path().join("secret.txt"), "secret").unwrap();
        fs::write(root.join("index.html"), "front").unwrap();
        fs::write(root.join("guide/index.html"), "guide").unwrap();
        fs::write(root.join("guide/a b.css"), "style").unwrap();
        fs::write(root.join(".hidden"), "hidden").unwrap();
        symlink(outer.path().join("secret.txt"), root.join("way-out.txt")).unwrap();
        symlink(root.join("index.html"), root.join("alias.html")).unwrap();
        let root = fs::canonicalize(root).unwrap();
        (outer, root)
    }

    fn content(found: Found) -> (String, &'static str) {
        match found {
            Found::File(mut file, length, content_type) => {
                let mut text = String::new();
                file.read_to_string(&mut text).unwrap();
                assert_eq!(text.len() as u64, length);
                (text, content_type)
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn files_are_found_with_their_types() {
        let (_outer, root) = site();
        let html = "text/html; charset=utf-8";
        assert_eq!(content(find(&root, "/")), ("front".into(), html));
        assert_eq!(content(find(&root, "/index.html")), ("front".into(), html));
        assert_eq!(content(find(&root, "//guide/./")), ("guide".into(), html));
        assert_eq!(content(find(&root, "/alias.html")), ("front".into(), html));
        let css = content(find(&root, "/guide/a%20b.css"));
        assert_eq!(css, ("style".into(), "text/css; charset=utf-8"));
    }

    #[test]
    fn nothing_outside_the_folder_is_found() {
        let (_outer, root) = site();
        for path in [
            "/../secret.txt",
            "/guide/../../secret.txt",
            "/guide/../index.html",
            "/%2e%2e/secret.txt",
            "/..%2fsecret.txt",
            "/%2e%2e%2fsecret.txt",
            "/..%5csecret.txt",
            "/guide/%2e./../secret.txt",
            "/way-out.txt",
            "/.hidden",
            "/%2ehidden",
            "/index.html%00.css",
            "/guide%2findex.html",
            "/%",
            "/%g0",
            "/%e",
            "/absent",
            "/bare/",
            "/index.html/",
        ] {
            assert!(matches!(find(&root, path), Found::Nothing), "{path}");
        }
        let absolute = format!("/{}", root.join("index.html").display());
        assert!(matches!(find(&root, &absolute), Found::Nothing));
    }

    #[test]
    fn no_path_made_of_these_parts_leads_out() {
        let (_outer, root) = site();
        let parts = [
            "",
            ".",
            "..",
            "%2e%2e",
            "%2E.",
            "guide",
            "..%2f",
            "%2f",
            "%5c",
            "secret.txt",
            "way-out.txt",
        ];
        // Every path of up to four of them, with what is inside and what is not.
        let mut paths = vec![String::new()];
        for _ in 0..4 {
            paths = paths
                .iter()
                .flat_map(|path| parts.map(|part| format!("{path}/{part}")))
                .collect();
            for path in &paths {
                if let Found::File(mut file, ..) = find(&root, path) {
                    let mut text = String::new();
                    file.read_to_string(&mut text).unwrap();
                    assert!(
                        text == "front" || text == "guide",
                        "{path} leads to {text:?}"
                    );
                }
            }
        }
        assert_eq!(paths.len(), parts.len().pow(4));
    }

    #[test]
    fn a_folder_without_its_slash_leads_to_the_one_with_it() {
        let (_outer, root) = site();
        match find(&root, "/guide") {
            Found::Elsewhere(location) => assert_eq!(location, "./guide/"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn percent_signs_are_decoded_once() {
        assert_eq!(percent_decode("a%20b%2Fc").unwrap(), b"a b/c");
        assert_eq!(percent_decode("%2541").unwrap(), b"%41");
        assert_eq!(percent_decode("%+1"), None);
    }
}
