//! Reading the terminal on a thread that can be told to leave it alone.
//!
//! While another program has the terminal, no key may be read here: whichever of the two reads first gets it. The thread
//! therefore never waits in a read but for either of the terminal and a pipe. A byte in the pipe stops it, which it
//! confirms; the next lets it go on.

use std::fs::File;
use std::io::{self, IsTerminal, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsFd;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

/// How long stopping may take; a terminal that cannot be waited for is stopped by its next key only.
const STOPPING: Duration = Duration::from_millis(500);

/// The thread that reads.
#[derive(Debug)]
pub struct Reading {
    control: PipeWriter,
    stopped: Receiver<()>,
}

impl Reading {
    /// Reads the process's terminal; what comes goes to `pieces`, which is dropped when nothing more can come.
    pub fn of_terminal(pieces: Sender<Vec<u8>>) -> io::Result<Self> {
        // Not through `Stdin`, whose buffer would hold what the terminal is not waited for any more.
        let stdin = io::stdin();
        let source = if stdin.is_terminal() {
            File::from(stdin.as_fd().try_clone_to_owned()?)
        } else {
            File::open("/dev/tty")?
        };
        Self::of(source, pieces)
    }

    fn of(source: impl Read + AsFd + Send + 'static, pieces: Sender<Vec<u8>>) -> io::Result<Self> {
        let (signals, control) = io::pipe()?;
        let (confirm, stopped) = mpsc::channel();
        let name = thread::Builder::new().name("terminal input".to_owned());
        name.spawn(move || read(source, &pieces, signals, &confirm))?;
        Ok(Self { control, stopped })
    }

    /// Returns when nothing is read any more.
    pub fn pause(&mut self) -> io::Result<()> {
        while self.stopped.try_recv().is_ok() {}
        self.control.write_all(&[0])?;
        match self.stopped.recv_timeout(STOPPING) {
            // A thread that has ended reads nothing either.
            Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => Ok(()),
            Err(mpsc::RecvTimeoutError::Timeout) => {
                self.control.write_all(&[0])?;
                Err(io::Error::other("this terminal cannot be lent to another program"))
            }
        }
    }

    pub fn go_on(&mut self) -> io::Result<()> {
        self.control.write_all(&[0])
    }
}

fn read(mut source: impl Read + AsFd, pieces: &Sender<Vec<u8>>, mut control: PipeReader, confirm: &Sender<()>) {
    let mut buffer = [0; 4096];
    let mut byte = [0];
    loop {
        match is_told_to_stop(&source, &control) {
            Ok(true) => {
                let stopped = control.read_exact(&mut byte).is_ok() && confirm.send(()).is_ok();
                if !stopped || control.read_exact(&mut byte).is_err() {
                    return;
                }
                continue;
            }
            Ok(false) => {}
            Err(_) => return,
        }
        match source.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => return,
            Ok(read) => {
                if pieces.send(buffer[..read].to_vec()).is_err() {
                    return;
                }
            }
        }
    }
}

/// Waits until there is something to read, or an order; whether there is an order. What cannot be waited for is read.
fn is_told_to_stop(source: &impl AsFd, control: &PipeReader) -> io::Result<bool> {
    loop {
        let mut waited = [PollFd::new(control, PollFlags::IN), PollFd::new(source, PollFlags::IN)];
        match poll(&mut waited, None) {
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
            Ok(_) => return Ok(!waited[0].revents().is_empty()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    #[test]
    fn while_paused_nothing_is_read_and_nothing_is_lost() {
        let (source, mut keys) = io::pipe().unwrap();
        let other = source.try_clone().unwrap();
        let (pieces, received) = mpsc::channel();
        let mut reading = Reading::of(source, pieces).unwrap();
        keys.write_all(b"before").unwrap();
        assert_eq!(received.recv_timeout(LONG).unwrap(), b"before");
        for _ in 0..20 {
            reading.pause().unwrap();
            keys.write_all(b"theirs").unwrap();
            let mut theirs = [0; 6];
            (&other).read_exact(&mut theirs).unwrap();
            assert_eq!(&theirs, b"theirs");
            reading.go_on().unwrap();
            keys.write_all(b"ours").unwrap();
            assert_eq!(received.recv_timeout(LONG).unwrap(), b"ours");
        }
    }

    #[test]
    fn the_end_is_told_and_can_be_paused() {
        let (source, keys) = io::pipe().unwrap();
        let (pieces, received) = mpsc::channel();
        let mut reading = Reading::of(source, pieces).unwrap();
        drop(keys);
        assert!(received.recv_timeout(LONG).is_err());
        // Whether the thread has ended already or not.
        let _ = reading.pause();
    }
}
