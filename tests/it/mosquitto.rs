//! A mosquitto of one's own: free port, own directory, gone with the test.
//!
//! Debian's `mosquitto` must be installed (`apt-get install mosquitto`); tests that use it are
//! `#[ignore = "needs mosquitto"]`.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A broker that can be stopped, killed and started again with what it had kept.
#[derive(Debug)]
pub(crate) struct Mosquitto {
    directory: TempDir,
    port: u16,
    child: Option<Child>,
}

impl Mosquitto {
    /// Starts a broker that keeps its queues.
    pub(crate) fn start() -> Self {
        Self::start_with("")
    }

    /// Starts a broker with more lines in its configuration.
    pub(crate) fn start_with(lines: &str) -> Self {
        let mut broker = Self::prepare(lines);
        broker.start_again();
        broker
    }

    /// Reserves a port and writes the configuration, but starts nothing.
    pub(crate) fn prepare(lines: &str) -> Self {
        let directory = TempDir::new().expect("a directory");
        let port = free_port();
        let path = directory.path().display();
        // Without `user` a broker that is started by root becomes another user, who may not write here.
        let config = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\nuser root\n\
             persistence true\npersistence_location {path}/\nautosave_interval 1\n\
             max_queued_messages 0\nlog_dest file {path}/log\n{lines}\n"
        );
        std::fs::write(directory.path().join("mosquitto.conf"), config).expect("written");
        Self { directory, port, child: None }
    }

    /// Starts the broker again, with what it had kept, and waits until it takes connections.
    pub(crate) fn start_again(&mut self) {
        assert!(self.child.is_none(), "one broker at a time");
        let program = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"];
        let program = program.into_iter().find(|path| Path::new(path).exists()).unwrap_or("mosquitto");
        let child = Command::new(program)
            .arg("-c")
            .arg(self.directory.path().join("mosquitto.conf"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("mosquitto is installed");
        self.child = Some(child);
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < deadline, "mosquitto takes no connections: {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Stops the broker in good order; it keeps its queues.
    pub(crate) fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let stopped = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
        assert!(stopped.is_ok_and(|status| status.success()));
        child.wait().expect("it ends");
    }

    /// `mqtt://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }

    /// What the broker has logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}
