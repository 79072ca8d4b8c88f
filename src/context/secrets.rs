//! Keys and passwords, which are not to be read out of a repository by accident.
//!
//! Names first, so that such a file is not even opened; then the forms of private keys and of the tokens that common
//! services give out. A file that a person names himself is loaded all the same.

use std::path::Path;
use std::sync::LazyLock;

use regex::{Regex, RegexSet};

const NAMES: [&str; 17] = [
    ".env",
    ".git-credentials",
    ".htpasswd",
    ".my.cnf",
    ".netrc",
    ".pgpass",
    ".pypirc",
    ".vault-token",
    "_netrc",
    "credentials.json",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    "id_ed25519_sk",
    "id_rsa",
    "secrets.yaml",
    "secrets.yml",
];

const EXTENSIONS: [&str; 8] = ["jks", "kdbx", "key", "keystore", "p12", "pem", "pfx", "ppk"];

/// Endings of files that show what a secret one would look like.
const TEMPLATES: [&str; 5] = [".example", ".sample", ".template", ".dist", ".defaults"];

/// What a token is, and its form.
const FORMS: [(&str, &str); 12] = [
    (
        "a private key",
        r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----\s*\n?[A-Za-z0-9+/=:\-\s,]{40}",
    ),
    ("an AWS access key", r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    (
        "a GitHub token",
        r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{60,})",
    ),
    ("a GitLab token", r"\bglpat-[A-Za-z0-9_-]{20,}"),
    ("a Slack token", r"\bxox[abeprs]-[0-9A-Za-z]{8,}-[0-9A-Za-z-]{8,}"),
    ("a Google key", r"\bAIza[0-9A-Za-z_-]{35}\b"),
    ("a Stripe key", r"\b[rs]k_live_[0-9A-Za-z]{20,}"),
    (
        "an OpenAI key",
        r"\bsk-(?:proj-)?[A-Za-z0-9_-]{20,}T3BlbkFJ[A-Za-z0-9_-]{20,}",
    ),
    ("an Anthropic key", r"\bsk-ant-[a-z0-9]+-[A-Za-z0-9_-]{60,}"),
    ("an npm token", r"\bnpm_[A-Za-z0-9]{36}\b"),
    ("a PyPI token", r"\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,}"),
    ("a Hugging Face token", r"\bhf_[A-Za-z]{34}\b"),
];

/// All forms at once, which is fast, and each by itself.
static MATCHERS: LazyLock<(RegexSet, Vec<Regex>)> = LazyLock::new(|| {
    let forms = FORMS.map(|(_, form)| form);
    let each = forms.iter().map(|form| Regex::new(form)).collect::<Result<_, _>>();
    RegexSet::new(forms)
        .and_then(|all| Ok((all, each?)))
        .expect("the forms are patterns; a test compiles them")
});

/// Whether a file of this name would hold a secret.
pub(super) fn name(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
        return false;
    };
    if TEMPLATES.iter().any(|ending| name.ends_with(ending)) {
        return false;
    }
    let extension = Path::new(name).extension().and_then(|e| e.to_str());
    NAMES.contains(&name) || name.starts_with(".env.") || extension.is_some_and(|e| EXTENSIONS.contains(&e))
}

/// What secret stands in a text. What calls itself an example is none.
pub(super) fn text(text: &str) -> Option<&'static str> {
    let (all, each) = &*MATCHERS;
    let real = |form: usize| {
        each[form]
            .find_iter(text)
            .any(|found| !found.as_str().contains("EXAMPLE"))
    };
    all.matches(text)
        .into_iter()
        .find(|&form| real(form))
        .map(|form| FORMS[form].0)
}

/// Where secrets stand in a text.
pub fn ranges(text: &str) -> Vec<std::ops::Range<usize>> {
    let (all, each) = &*MATCHERS;
    let forms = all.matches(text).into_iter();
    let found = forms.flat_map(|form| each[form].find_iter(text));
    found
        .filter(|found| !found.as_str().contains("EXAMPLE"))
        .map(|found| found.range())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets() {
        for (file, secret) in [
            (".env", true),
            ("app/.env.production", true),
            (".env.example", false),
            ("id_rsa", true),
            ("id_rsa.pub", false),
            ("server.pem", true),
            ("key", false),
            ("secrets.rs", false),
        ] {
            assert_eq!(name(Path::new(file)), secret, "{file}");
        }
    }

    #[test]
    fn forms_of_secrets() {
        // Put together here, so that this file is not left out of its own context.
        let body = "MIIEowIBAAKCAQEAt1c7".repeat(4);
        for (secret, what) in [
            (
                format!("-----BEGIN RSA {}-----\n{body}\n", "PRIVATE KEY"),
                "a private key",
            ),
            (format!("id = {}{}", "AKIA", "Q3EGRL5LTU2XM7QZ"), "an AWS access key"),
            (format!("token: {}{}", "ghp_", "a1B2".repeat(9)), "a GitHub token"),
            (format!("{}{}", "AIza", "Sy4-_".repeat(7)), "a Google key"),
        ] {
            assert_eq!(
                text(&format!("text before\n{secret}\nand after")),
                Some(what),
                "{secret}"
            );
        }
        for plain in [
            "-----BEGIN PRIVATE KEY-----\n...\n",
            "regex!(\"-----BEGIN PRIVATE KEY-----\")",
            "ghp_short",
            "sk_test_123",
            "AKIAIOSFODNN7EXAMPLE",
        ] {
            assert_eq!(text(plain), None, "{plain}");
        }
    }
}
