//! Drives the real window: a screen without hardware, a message bus and WebKit's own WebDriver, which starts the
//! program and speaks a few lines of HTTP (Linux; <https://www.w3.org/TR/webdriver2/>).

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What an element is called in the protocol.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// A channel of the page on which nobody listens, for a command that tells of itself on one.
pub const UNHEARD: &str = "__CHANNEL__:0";
/// How long anything may take that a person would wait for.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A running window on a screen of its own.
pub struct Window {
    screen: Child,
    driver: Child,
    port: u16,
    session: String,
    /// The display of its screen, such as `:7`.
    pub display: String,
    /// Where the screen keeps its pixels.
    pixels: tempfile::TempDir,
}

/// A key of the keyboard that is no character.
#[derive(Clone, Copy)]
pub enum Key {
    /// Moves the focus on.
    Tab,
    /// Presses what has the focus.
    Enter,
    /// Presses or ticks what has the focus.
    Space,
    /// Closes what is open.
    Escape,
    /// Moves down.
    Down,
    /// Moves right.
    Right,
}

/// The Control key, which is held while another one is pressed.
const CONTROL: char = '\u{e009}';

impl Key {
    fn code(self) -> char {
        match self {
            Self::Tab => '\u{e004}',
            Self::Enter => '\u{e007}',
            Self::Space => ' ',
            Self::Escape => '\u{e00c}',
            Self::Down => '\u{e015}',
            Self::Right => '\u{e014}',
        }
    }
}

/// The key that is held to select.
const SHIFT: char = '\u{e008}';

/// A key that is pressed and let go.
fn pressed(key: char) -> [Value; 2] {
    ["keyDown", "keyUp"].map(|what| json!({"type": what, "value": key.to_string()}))
}

/// Whether a window can be driven here. Where it cannot, says so; where it must be (in CI), panics.
///
/// # Panics
/// In CI, if a program or the user interface is missing.
pub fn can_drive() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let lacks = |program: &&&str| !std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    let mut missing: Vec<String> = ["WebKitWebDriver", "Xvfb", "dbus-run-session"].iter().filter(lacks).map(|p| (*p).to_string()).collect();
    if !crate::root().join("ui/dist/assets").is_dir() {
        missing.push("the built user interface (cd ui && npm ci && npm run build)".into());
    }
    if missing.is_empty() {
        return true;
    }
    let what = format!("the window cannot be driven without {}; `cargo xtask test` sees to it", missing.join(", "));
    assert!(std::env::var_os("CI").is_none(), "{what}");
    eprintln!("SKIPPED: {what}");
    false
}

impl Window {
    /// Starts a program on a new screen of `width` by `height` pixels and waits for its page.
    ///
    /// # Panics
    /// If it does not start.
    pub fn open(program: &Path, args: &[&str], variables: &[(&str, &str)], (width, height): (usize, usize)) -> Self {
        let pixels = tempfile::tempdir().expect("a folder for the screen");
        let mut screen = Command::new("Xvfb");
        screen.arg("-fbdir").arg(pixels.path());
        screen.args(["-displayfd", "1", "-nolisten", "tcp", "-screen", "0", &format!("{width}x{height}x24")]);
        let mut screen = screen.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("Xvfb starts");
        let mut number = String::new();
        BufReader::new(screen.stdout.as_mut().expect("piped")).read_line(&mut number).expect("Xvfb names its display");
        let display = format!(":{}", number.trim());
        let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|l| l.local_addr()).expect("a free port").port();

        let mut driver = Command::new("dbus-run-session");
        driver.args(["--", "WebKitWebDriver", &format!("--port={port}")]);
        driver.env("DISPLAY", &display).env("NO_AT_BRIDGE", "1").env("WEBKIT_DISABLE_DMABUF_RENDERER", "1").env("TAURI_WEBVIEW_AUTOMATION", "true");
        driver.env("LC_ALL", "C.UTF-8").env_remove("WAYLAND_DISPLAY").envs(variables.iter().copied());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut driver, 0);
        let driver = driver.stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().expect("dbus-run-session starts");

        let mut window = Self { screen, driver, port, session: String::new(), display, pixels };
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(began.elapsed() < PATIENCE, "WebKitWebDriver does not listen");
            std::thread::sleep(Duration::from_millis(50));
        }
        let options = json!({"capabilities": {"alwaysMatch": {"webkitgtk:browserOptions": {"binary": program, "args": args}}}});
        let answer = window.http("POST", "/session", &options);
        window.session = answer["sessionId"].as_str().unwrap_or_else(|| panic!("no session: {answer}")).into();
        // what is measured in the page may take longer than the half minute that a script has else
        window.post("/timeouts", &json!({"script": PATIENCE.as_millis() as u64 * 2}));
        window
    }

    /// Sends a request and gives the value of the answer, or the error in it.
    fn http(&self, method: &str, path: &str, body: &Value) -> Value {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the driver listens");
        stream.set_read_timeout(Some(PATIENCE * 2)).expect("a timeout");
        let body = if method == "POST" { body.to_string() } else { String::new() };
        let head = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n", self.port);
        let head = format!("{head}Content-Type: application/json; charset=utf-8\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all((head + &body).as_bytes()).expect("sent");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer");
        let text = String::from_utf8_lossy(&answer);
        let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let value: Value = serde_json::from_str(body).unwrap_or_else(|e| panic!("{method} {path}: {e}: {text}"));
        value["value"].clone()
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        self.http("POST", &format!("/session/{}{path}", self.session), body)
    }

    /// Runs a function body in the page and gives what it returns.
    ///
    /// # Panics
    /// If the script fails.
    pub fn script(&self, body: &str, args: &[Value]) -> Value {
        let value = self.post("/execute/sync", &json!({"script": body, "args": args}));
        assert!(value.get("error").is_none(), "{body}: {value}");
        value
    }

    /// Runs a function body in the page that calls its last argument when it is done, and gives what it calls it with.
    pub fn later(&self, body: &str, args: &[Value]) -> Value {
        self.post("/execute/async", &json!({"script": body, "args": args}))
    }

    /// Asks the program behind the page, as the page itself does, and gives the answer; a failure is its message.
    pub fn ask(&self, command: &str, args: &Value) -> Result<Value, String> {
        let body = "const done = arguments[2]; window.__TAURI_INTERNALS__.invoke(arguments[0], arguments[1]) \
            .then(value => done({value: value ?? null}), failure => done({failure: failure.message ?? String(failure)}))";
        let mut answer = self.later(body, &[command.into(), args.clone()]);
        match answer["failure"].as_str() {
            Some(failure) => Err(failure.into()),
            None => Ok(answer["value"].take()),
        }
    }

    /// Waits until a function body returns something that is neither `null` nor `false`, and gives it.
    ///
    /// # Panics
    /// If that does not happen within a minute; the message holds the page's text.
    pub fn wait(&self, what: &str, body: &str, args: &[Value]) -> Value {
        let began = Instant::now();
        loop {
            let value = self.script(body, args);
            if !value.is_null() && value != false {
                return value;
            }
            assert!(began.elapsed() < PATIENCE, "{what} does not come; the page says:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The page's text.
    pub fn text(&self) -> String {
        self.script("return document.body.innerText", &[]).as_str().unwrap_or_default().into()
    }

    /// Waits until the page shows a text.
    pub fn shows(&self, text: &str) {
        self.wait(text, "return document.body.innerText.includes(arguments[0])", &[text.into()]);
    }

    /// Waits for an element that a person can see and use, by selector and, if not empty, by the text, label or
    /// title that names it, and clicks it.
    pub fn click(&self, selector: &str, name: &str) {
        let body = "return [...document.querySelectorAll(arguments[0])].find(e => e.checkVisibility() && !e.disabled && \
            (!arguments[1] || [e.innerText, e.textContent, e.getAttribute('aria-label'), e.title].some(t => (t ?? '').trim().includes(arguments[1])))) ?? null";
        let began = Instant::now();
        loop {
            let element = self.wait(&format!("{selector} `{name}`"), body, &[selector.into(), name.into()]);
            let id = element[ELEMENT].as_str().unwrap_or_else(|| panic!("no element: {element}"));
            let outcome = self.post(&format!("/element/{id}/click"), &json!({}));
            // a page that has just drawn itself anew has another element in its place
            if outcome["error"] == "stale element reference" && began.elapsed() < PATIENCE {
                continue;
            }
            assert!(outcome.is_null(), "{selector} `{name}` cannot be clicked: {outcome}");
            return;
        }
    }

    /// Chooses an option, by its text, of the selection list that a label names.
    pub fn choose(&self, label: &str, option: &str) {
        let body = "const at = e => [...e.options].findIndex(o => o.text.trim() === arguments[1]); \
            const list = [...document.querySelectorAll('main select')].find(e => e.checkVisibility() && at(e) >= 0 && \
            [...e.labels].some(l => l.textContent.trim().startsWith(arguments[0]))); \
            if (!list) return false; list.selectedIndex = at(list); list.dispatchEvent(new Event('change', {bubbles: true})); return true";
        self.wait(&format!("`{option}` in the list `{label}`"), body, &[label.into(), option.into()]);
    }

    /// Puts a value into the field that a label names, as a person who types it and goes on.
    pub fn fill(&self, label: &str, value: &str) {
        let body = "const field = [...document.querySelectorAll('main input')].find(e => e.checkVisibility() && \
            [...e.labels].some(l => l.textContent.trim() === arguments[0])); \
            if (!field) return false; field.value = arguments[1]; \
            for (const event of ['input', 'change']) field.dispatchEvent(new Event(event, {bubbles: true})); return true";
        self.wait(&format!("the field `{label}`"), body, &[label.into(), value.into()]);
    }

    /// What the page is told instead of what a dialog of the platform would give, which no driver can reach.
    pub fn answers(&self, command: &str, answer: &Value) {
        let body = "window.told ??= {}; window.told[arguments[0]] = arguments[1]; if (window.asked) return; window.asked = window.fetch; \
            window.fetch = (to, how) => { const command = String(to).split('/').pop(); if (!(command in window.told)) return window.asked(to, how); \
            const headers = {'Tauri-Response': 'ok', 'Content-Type': 'application/json'}; \
            return Promise.resolve(new Response(JSON.stringify(window.told[command]), {headers})); }";
        self.script(body, &[command.into(), answer.clone()]);
    }

    /// Types into what has the focus.
    pub fn types(&self, text: &str) {
        let actions: Vec<Value> = text.chars().flat_map(pressed).collect();
        self.keys(text, &actions);
    }

    /// Selects so many characters to the right of the cursor.
    pub fn select(&self, characters: usize) {
        let shift = |what: &str| json!({"type": what, "value": SHIFT.to_string()});
        let right = std::iter::repeat_n(Key::Right.code(), characters).flat_map(pressed);
        let actions: Vec<Value> = std::iter::once(shift("keyDown")).chain(right).chain([shift("keyUp")]).collect();
        self.keys("Shift and Right", &actions);
    }

    fn keys(&self, what: &str, actions: &[Value]) {
        let outcome = self.post("/actions", &json!({"actions": [{"type": "key", "id": "keyboard", "actions": actions}]}));
        assert!(outcome.is_null(), "`{what}` cannot be typed: {outcome}");
    }

    /// Presses a key.
    pub fn press(&self, key: Key) {
        self.types(&key.code().to_string());
    }

    /// Presses a letter together with the Control key.
    ///
    /// # Panics
    /// If the driver refuses.
    pub fn control(&self, letter: char) {
        let key = |kind: &str, value: char| json!({"type": kind, "value": value.to_string()});
        let actions = [("keyDown", CONTROL), ("keyDown", letter), ("keyUp", letter), ("keyUp", CONTROL)].map(|(kind, value)| key(kind, value));
        let outcome = self.post("/actions", &json!({"actions": [{"type": "key", "id": "keyboard", "actions": actions}]}));
        assert!(outcome.is_null(), "Control and {letter} cannot be pressed: {outcome}");
    }

    /// What axe-core, of the user interface's own packages, finds wrong with the page: contrast, names, roles, order.
    ///
    /// # Panics
    /// If axe-core is not there or fails.
    pub fn complaints(&self) -> Vec<String> {
        if self.script("return window.axe === undefined", &[]) == true {
            let file = crate::root().join("ui/node_modules/axe-core/axe.min.js");
            let source = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}; cd ui && npm ci", file.display()));
            self.script(&source, &[]);
        }
        let body = "const done = arguments[0]; axe.run(document, {iframes: false}).then(r => done(r.violations.map(v => \
            `${v.id}: ${v.help}: ${v.nodes.map(n => n.html.slice(0, 200) + ' ' + (n.any[0]?.message ?? '')).slice(0, 3).join(' | ')}`)), e => done([String(e)]))";
        let found = self.later(body, &[]);
        let list = found.as_array().unwrap_or_else(|| panic!("axe-core did not run: {found}"));
        list.iter().map(|v| v.as_str().unwrap_or_default().to_string()).collect()
    }

    /// What the page's content security policy has refused since this was asked last, beginning with the first time after the page
    /// was loaded.
    pub fn refusals(&self) -> Vec<String> {
        let body = "window.refused ??= (() => { const all = []; document.addEventListener('securitypolicyviolation', \
            e => all.push(`${e.effectiveDirective} refuses ${e.blockedURI} ${e.sourceFile}:${e.lineNumber}`)); return all; })(); \
            return window.refused.splice(0)";
        let found = self.script(body, &[]);
        found.as_array().into_iter().flatten().map(|refusal| refusal.as_str().unwrap_or_default().to_string()).collect()
    }

    /// Waits until a function body returns something in the document of a frame, as [`Self::wait`] does in the page, and gives it.
    ///
    /// # Panics
    /// If that does not happen within a minute, or the frame cannot be entered.
    pub fn within(&self, frame: &str, body: &str) -> Value {
        let element = self.wait(frame, "return document.querySelector(arguments[0])", &[frame.into()]);
        let enter = |into: &Value| {
            let outcome = self.post("/frame", &json!({"id": into}));
            assert!(outcome.is_null(), "{frame} cannot be entered or left: {outcome}");
        };
        enter(&element);
        let value = self.wait(frame, body, &[]);
        enter(&Value::Null);
        value
    }

    /// Puts the window into the corner of its screen, this large.
    pub fn resize(&self, (width, height): (usize, usize)) {
        let outcome = self.post("/window/rect", &json!({"x": 0, "y": 0, "width": width, "height": height}));
        assert!(outcome.get("error").is_none(), "the window cannot be made {width} by {height}: {outcome}");
    }

    /// Loads the page anew.
    pub fn reload(&self) {
        self.post("/refresh", &json!({}));
    }

    /// Keeps a picture of the screen, as the screen itself has it. WebDriver's own `/screenshot` waits for ever in some states of
    /// a page here.
    ///
    /// # Panics
    /// If the screen shows nothing, or the picture cannot be written.
    pub fn picture(&self, file: &Path) {
        // XWD, as X11/XWDFile.h has it: a header of big-endian words, colours of twelve bytes, then lines of blue, green, red, nothing
        let screen = std::fs::read(self.pixels.path().join("Xvfb_screen0")).expect("the screen's pixels");
        let word = |n: usize| screen.get(n * 4..n * 4 + 4).map_or(0, |b| b.iter().fold(0_usize, |word, byte| (word << 8) | usize::from(*byte)));
        let (width, height, line) = (word(4), word(5), word(12));
        let lines = screen.get(word(0) + word(19) * 12..).unwrap_or_default().chunks(line.max(1)).take(height);
        let rgb: Vec<u8> = lines.flat_map(|line| line[..width * 4].chunks_exact(4).flat_map(|p| [p[2], p[1], p[0]])).collect();
        assert_eq!((rgb.len(), word(11)), (width * height * 3, 32), "{}: another screen than was asked for", file.display());
        let colours: std::collections::BTreeSet<&[u8]> = rgb.chunks_exact(3).collect();
        assert!(colours.len() > 20, "{}: the screen shows nothing", file.display());
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder).expect("a folder for pictures");
        }
        let out = std::fs::File::create(file).expect("a picture");
        let mut encoder = png::Encoder::new(std::io::BufWriter::new(out), width as u32, height as u32);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.write_header().and_then(|mut w| w.write_image_data(&rgb)).expect("a picture");
    }

    /// The processes of the window and its page: name, number. Those that only drive it are left out (Linux).
    pub fn processes(&self) -> Vec<(String, u32)> {
        let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let all = entries.filter_map(|e| e.file_name().to_string_lossy().parse::<u32>().ok());
        let ours = |pid: u32| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            // the name stands in brackets and may hold anything; after it come the state, the parent and the group
            let (head, rest) = stat.rsplit_once(')')?;
            let fields: Vec<&str> = rest.split_whitespace().collect();
            let name = head.split_once('(')?.1.to_string();
            // one that has ended stays listed until its parent has asked how
            let lives = fields.first() != Some(&"Z") && fields.get(2)?.parse::<u32>() == Ok(self.driver.id());
            (lives && !name.starts_with("dbus") && name != "WebKitWebDriver").then_some((name, pid))
        };
        all.filter_map(ours).collect()
    }

    /// Waits until the program has ended by itself.
    ///
    /// # Panics
    /// If it still runs after a minute.
    pub fn ends(&self) {
        let began = Instant::now();
        while self.processes().iter().any(|(name, _)| name.starts_with("lapidary")) {
            assert!(began.elapsed() < PATIENCE, "the program does not end");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Starts a program as the window was started, on its screen and its message bus, and waits for its end.
    ///
    /// # Panics
    /// If the window's process is not found, or the program cannot be started.
    pub fn beside(&self, program: &Path, args: &[&str]) -> std::process::ExitStatus {
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // the system keeps the first fifteen letters of a name
        let running = self.processes().into_iter().find(|(n, _)| name.starts_with(n.as_str())).unwrap_or_else(|| panic!("{name} does not run"));
        let environment = std::fs::read(format!("/proc/{}/environ", running.1)).expect("the window's environment");
        let text = String::from_utf8_lossy(&environment).into_owned();
        let variables = text.split('\0').filter_map(|v| v.split_once('='));
        Command::new(program).args(args).env_clear().envs(variables).status().expect("it starts")
    }

    /// Ends everything at once, as a dead battery would.
    pub fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        // the whole group: the driver, the window and its web processes
        let group = format!("-{}", self.driver.id());
        let _ = Command::new("kill").args(["-9", "--", &group]).status();
        let _ = self.driver.wait();
        let _ = self.screen.kill();
        let _ = self.screen.wait();
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        self.end();
    }
}
