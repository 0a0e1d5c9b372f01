//! The system's file dialog, off the window's thread: asked through a channel, answered through another.
//!
//! Without a portal and without zenity it answers `None`, the same as Cancel; that is why a path field always stands
//! beside it.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

use super::BrowseFor;

/// The file dialog that is open, if one is.
#[derive(Default)]
pub struct FileDialogs {
    open: Option<(BrowseFor, Receiver<Vec<PathBuf>>)>,
}

impl FileDialogs {
    /// Opens one, unless one is open already; `wake` is called when it has been answered.
    pub fn ask(&mut self, what: BrowseFor, name: &str, wake: impl Fn() + Send + 'static) {
        if self.open.is_some() {
            return;
        }
        let (send, receive) = sync_channel(1);
        let dialog = dialog(&what, name);
        let many = what == BrowseFor::Open;
        let save = what.is_save();
        // macOS wants the dialog made on the main thread; `AsyncFileDialog` does so and its future may be awaited anywhere.
        let answer = async move {
            let paths: Vec<PathBuf> = if save {
                let file = dialog.save_file().await;
                file.iter().map(|f| f.path().to_owned()).collect()
            } else if many {
                let files = dialog.pick_files().await.unwrap_or_default();
                files.iter().map(|f| f.path().to_owned()).collect()
            } else {
                let file = dialog.pick_file().await;
                file.iter().map(|f| f.path().to_owned()).collect()
            };
            send.send(paths).ok();
            wake();
        };
        let thread = std::thread::Builder::new().name("file-dialog".to_owned());
        if thread.spawn(move || block_on(answer)).is_ok() {
            self.open = Some((what, receive));
        }
    }

    /// The answer, once: what it was for and the paths, empty when it was cancelled.
    pub fn answer(&mut self) -> Option<(BrowseFor, Vec<PathBuf>)> {
        let (_, receive) = self.open.as_ref()?;
        match receive.try_recv() {
            Ok(paths) => self.open.take().map(|(what, _)| (what, paths)),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => self.open.take().map(|(what, _)| (what, Vec::new())),
        }
    }

    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }
}

fn dialog(what: &BrowseFor, name: &str) -> rfd::AsyncFileDialog {
    let dialog = rfd::AsyncFileDialog::new();
    match what {
        BrowseFor::Open => dialog
            .set_title("Open runs or a plan")
            .add_filter("Runs and plans", &["jsonl", "zst", "toml"])
            .add_filter("All files", &["*"]),
        BrowseFor::SavePlan => dialog
            .set_title("Save the plan")
            .set_file_name(name)
            .add_filter("Plans", &["toml"]),
        BrowseFor::SaveRun { .. } => dialog
            .set_title("Save a copy of the run")
            .set_file_name(name)
            .add_filter("Runs", &["jsonl", "zst"]),
        BrowseFor::Prompts => dialog
            .set_title("Choose prompts, one a line")
            .add_filter("Text", &["txt"])
            .add_filter("All files", &["*"]),
        BrowseFor::Dataset => dialog
            .set_title("Choose a dataset")
            .add_filter("Datasets", &["json", "jsonl", "csv", "txt"])
            .add_filter("All files", &["*"]),
        BrowseFor::Trace => dialog
            .set_title("Choose a trace or a run to replay")
            .add_filter("Traces and runs", &["csv", "jsonl", "zst"])
            .add_filter("All files", &["*"]),
        BrowseFor::Tokenizer => dialog
            .set_title("Choose a tokenizer.json")
            .add_filter("Tokenizers", &["json"])
            .add_filter("All files", &["*"]),
        BrowseFor::Template => dialog
            .set_title("Choose a template")
            .add_filter("Templates", &["toml"])
            .add_filter("All files", &["*"]),
        BrowseFor::CaFile => dialog
            .set_title("Choose a certificate authority")
            .add_filter("PEM", &["pem", "crt", "cer"])
            .add_filter("All files", &["*"]),
        BrowseFor::Input { name, .. } => dialog.set_title(format!("Choose a file for “{name}”")),
    }
}

/// Waits for a future on a thread of its own.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = std::sync::Arc::new(Unpark(std::thread::current())).into();
    let mut context = std::task::Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        if let std::task::Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        std::thread::park();
    }
}
