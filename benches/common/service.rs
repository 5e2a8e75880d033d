//! The program itself: started with a configuration, read by its own counters and the system's.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use super::mqtt::free_port;

/// `kilter run`, killed when it is dropped.
pub(crate) struct Service {
    child: Child,
    pub(crate) http: u16,
}

impl Service {
    /// Starts it, or the program that `--program` names, on the database `kilter.db` in `dir`. `text` is the configuration from `[mqtt]` on, without `[store]`
    /// and `[http]`.
    pub(crate) fn start(dir: &Path, text: &str) -> Self {
        let http = free_port();
        let file = dir.join("kilter.toml");
        let url = dir.join("kilter.db");
        let head = format!("[store]\nurl = \"sqlite:{}\"\n[http]\nlisten = \"127.0.0.1:{http}\"\n", url.display());
        std::fs::write(&file, head + "[log]\nfilter = \"warn\"\n" + text).expect("a file");
        let mut command = Command::new(super::argument("--program", env!("CARGO_BIN_EXE_kilter")));
        Self { child: command.arg("run").arg("--config").arg(&file).spawn().expect("it starts"), http }
    }

    /// Asks for a page; its status, seconds and bytes. None while nobody answers.
    pub(crate) fn get(&self, path: &str) -> Option<(u16, f64, Vec<u8>)> {
        let begun = Instant::now();
        let mut stream = TcpStream::connect(("127.0.0.1", self.http)).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        let status = std::str::from_utf8(answer.get(9..12)?).ok()?.parse().ok()?;
        Some((status, begun.elapsed().as_secs_f64(), answer))
    }

    /// Median seconds of five such questions, after one that warms the cache, and the bytes of the answer.
    pub(crate) fn seconds_of(&self, path: &str) -> (f64, usize) {
        let mut seconds = Vec::new();
        let mut bytes = 0;
        for round in 0..6 {
            let (status, took, answer) = self.get(path).expect("an answer");
            assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&answer[..answer.len().min(600)]));
            bytes = answer.len();
            if round > 0 {
                seconds.push(took);
            }
        }
        seconds.sort_by(f64::total_cmp);
        (seconds[2], bytes)
    }

    /// The sum of a counter over its labels, from `/metrics`.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let Some((_, _, answer)) = self.get("/metrics") else { return 0.0 };
        let text = String::from_utf8_lossy(&answer);
        let values = text.lines().filter(|line| line.starts_with(name));
        values.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// Waits until a counter has come so far.
    pub(crate) fn wait_for(&self, name: &str, least: f64) {
        while self.metric(name) < least {
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Processor seconds so far and resident MiB.
    pub(crate) fn usage(&self) -> (f64, f64) {
        let read =
            |file: &str| std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).unwrap_or_default();
        let resident = read("status");
        let line = resident.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
        (super::processor_seconds(self.child.id()), kib.unwrap_or(0.0) / 1024.0)
    }

    /// Bytes handed to the disk so far.
    pub(crate) fn bytes_written(&self) -> f64 {
        let text = std::fs::read_to_string(format!("/proc/{}/io", self.child.id())).unwrap_or_default();
        let bytes = text.lines().find_map(|line| line.strip_prefix("write_bytes: "));
        bytes.and_then(|bytes| bytes.parse().ok()).unwrap_or(0.0)
    }

    /// Processor seconds so far by name of the thread.
    pub(crate) fn threads(&self) -> Vec<(String, f64)> {
        let mut threads: Vec<(String, f64)> = Vec::new();
        let Ok(tasks) = std::fs::read_dir(format!("/proc/{}/task", self.child.id())) else { return threads };
        for task in tasks.flatten() {
            let name = std::fs::read_to_string(task.path().join("comm")).unwrap_or_default().trim().to_owned();
            let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
            let ticks = |i: usize| fields.get(i).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
            let seconds = (ticks(11) + ticks(12)) / 100.0;
            match threads.iter_mut().find(|(other, _)| *other == name) {
                Some((_, sum)) => *sum += seconds,
                None => threads.push((name, seconds)),
            }
        }
        threads
    }

    /// Asks it to stop and waits until it has.
    pub(crate) fn stop(mut self) {
        let _ = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
