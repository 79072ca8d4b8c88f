//! The page that a session is exported as, in a real browser without a window: skipped where there is no Chromium (`$CHROMIUM`, or
//! `chromium` on the path).

#![cfg(unix)]
#![allow(clippy::print_stderr, reason = "a test that is not tried says so")]
#![allow(clippy::unwrap_used)] // a helper that fails fails its test

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

/// A browser that is told what to do over two pipes.
struct Browser {
    child: Child,
    to: File,
    from: BufReader<File>,
    id: u64,
    session: Option<String>,
}

fn browser() -> Option<PathBuf> {
    let named = std::env::var_os("CHROMIUM").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    named.or_else(|| {
        let folders = std::env::split_paths(&path);
        folders.map(|folder| folder.join("chromium")).find(|path| path.exists())
    })
}

impl Browser {
    fn start(program: &Path, folder: &Path) -> Self {
        let pipes = [folder.join("to"), folder.join("from")];
        assert!(Command::new("mkfifo").args(&pipes).status().unwrap().success());
        // It reads from 3 and writes to 4.
        let script = "exec \"$0\" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run \
                      --host-resolver-rules='MAP * ~NOTFOUND' --user-data-dir=\"$1\" --remote-debugging-pipe about:blank \
                      3<\"$2\" 4>\"$3\"";
        let child = Command::new("sh")
            .args(["-c", script])
            .arg(program)
            .arg(folder.join("profile"))
            .args(&pipes)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Each waits until the other end is opened.
        let to = OpenOptions::new().write(true).open(&pipes[0]).unwrap();
        let from = BufReader::new(File::open(&pipes[1]).unwrap());
        Self {
            child,
            to,
            from,
            id: 0,
            session: None,
        }
    }

    fn call(&mut self, method: &str, params: &Value) -> Value {
        self.id += 1;
        let mut message = json!({ "id": self.id, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.to.write_all(message.to_string().as_bytes()).unwrap();
        self.to.write_all(&[0]).unwrap();
        loop {
            let mut bytes = Vec::new();
            self.from.read_until(0, &mut bytes).unwrap();
            bytes.pop();
            let mut answer: Value = serde_json::from_slice(&bytes).expect("the browser answers");
            if answer["id"] == self.id {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].take();
            }
        }
    }

    /// Opens a page, and waits until it is there.
    fn open(&mut self, page: &Path) {
        let url = format!("file://{}", page.display());
        let target = self.call("Target.createTarget", &json!({ "url": url }));
        let attached = self.call(
            "Target.attachToTarget",
            &json!({ "targetId": target["targetId"], "flatten": true }),
        );
        self.session = Some(attached["sessionId"].as_str().unwrap().to_owned());
        let complete = "new Promise(done => document.readyState === 'complete' ? done(location.href) : \
                        addEventListener('load', () => done(location.href)))";
        while self.tell(complete) != json!(url) {}
    }

    /// What an expression comes to.
    fn tell(&mut self, expression: &str) -> Value {
        let params = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let mut result = self.call("Runtime.evaluate", &params);
        assert!(result["exceptionDetails"].is_null(), "{expression}: {result}");
        result["result"]["value"].take()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn thinking_folds_without_a_network_in_light_and_dark() {
    let Some(program) = browser() else {
        eprintln!("not tried: there is no Chromium here");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("tour.html");
    let exported = Command::new(env!("CARGO_BIN_EXE_thunderhead"))
        .args(["sessions", "export", "tour", "--out"])
        .arg(&page)
        .env("THUNDERHEAD_CONFIG", "")
        .output()
        .unwrap();
    assert!(exported.status.success(), "{exported:?}");
    let mut browser = Browser::start(&program, folder.path());
    browser.open(&page);

    let all = browser.tell("document.querySelectorAll('details').length");
    assert!(all.as_u64().unwrap() >= 3, "{all}");
    let open = "document.querySelectorAll('details[open]').length";
    let height = "document.querySelector('details').getBoundingClientRect().height";
    assert_eq!(browser.tell(open), 0, "thinking is folded");
    let folded = browser.tell(height).as_f64().unwrap();
    browser.tell("document.querySelector('summary').click()");
    assert_eq!(browser.tell(open), 1, "and unfolds");
    assert!(
        browser.tell(height).as_f64().unwrap() > folded + 10.0,
        "its text is seen"
    );
    browser.tell("document.querySelector('summary').click()");
    assert_eq!(browser.tell(open), 0, "and folds again");
    browser.tell("document.getElementById('fold').click()");
    assert_eq!(browser.tell(open), all, "the button unfolds all");
    browser.tell("document.getElementById('fold').click()");
    assert_eq!(browser.tell(open), 0);

    let ground = "getComputedStyle(document.body).backgroundColor";
    let mut grounds = Vec::new();
    for scheme in ["light", "dark"] {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        browser.call("Emulation.setEmulatedMedia", &features);
        grounds.push(browser.tell(ground));
    }
    assert_ne!(grounds[0], grounds[1], "it goes by the system");
    browser.tell("document.getElementById('theme').click()");
    assert_eq!(browser.tell(ground), grounds[0], "and by its button");

    let loaded = browser.tell("performance.getEntriesByType('resource').map(entry => entry.name)");
    assert_eq!(loaded, json!([]), "nothing is fetched");
    let record = browser.tell("JSON.parse(document.getElementById('session').textContent).turns.length");
    assert_eq!(record, 3, "the record is in it");
}
