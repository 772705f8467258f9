use std::error::Error as _;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt};
use runtime::Timestamp;
use tokio::runtime::{Builder, Runtime};

use crate::{Location, LocationError, Meta, ObjectError, Objects, Patience, Upload};

/// Objects in whatever [`Location`] names, below its prefix.
pub struct RemoteObjects {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    driver: Arc<Driver>,
    place: String,
}

/// Drives the client; its one thread does nothing else.
struct Driver(Option<Runtime>);

struct Parts {
    name: String,
    upload: Box<dyn MultipartUpload>,
    driver: Arc<Driver>,
    ended: bool,
}

impl RemoteObjects {
    /// The objects at a location; see [`Location::open`] for the options. Nothing is asked of the
    /// store yet.
    pub fn open(location: &Location, options: &[(String, String)]) -> Result<Self, LocationError> {
        let opened = location.open(options, true, Patience::Short)?;
        let driver = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("objects")
            .enable_all()
            .build()
            .map_err(LocationError::Driver)?;
        Ok(Self {
            store: opened.store,
            prefix: opened.prefix,
            driver: Arc::new(Driver(Some(driver))),
            place: location.to_string(),
        })
    }

    fn path(&self, name: &str) -> Path {
        let name = Path::from(name);
        self.prefix.parts().chain(name.parts()).collect()
    }
}

impl Driver {
    fn run<T>(
        &self,
        doing: &'static str,
        object: &str,
        call: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T, ObjectError> {
        // Only dropping takes it away.
        let Some(runtime) = &self.0 else {
            return Err(ObjectError::Unreachable {
                doing,
                object: object.to_owned(),
                cause: "the client has ended".to_owned(),
            });
        };
        runtime
            .block_on(call)
            .map_err(|error| sort(doing, object, &error))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

fn sort(doing: &'static str, object: &str, error: &object_store::Error) -> ObjectError {
    let object = object.to_owned();
    match error {
        object_store::Error::NotFound { .. } => ObjectError::Missing { doing, object },
        object_store::Error::PermissionDenied { .. }
        | object_store::Error::Unauthenticated { .. } => ObjectError::Denied {
            doing,
            object,
            cause: chain(error),
        },
        error => ObjectError::Unreachable {
            doing,
            object,
            cause: chain(error),
        },
    }
}

/// An error and what is behind it that it does not say itself, in one line.
fn chain(error: &object_store::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = error.source();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Objects for RemoteObjects {
    fn begin(&self, name: &str) -> Result<Box<dyn Upload>, ObjectError> {
        let path = self.path(name);
        let begun = self.store.put_multipart(&path);
        let upload = self.driver.run("begin", name, begun)?;
        Ok(Box::new(Parts {
            name: name.to_owned(),
            upload,
            driver: Arc::clone(&self.driver),
            ended: false,
        }))
    }

    fn read(&self, name: &str, range: Range<u64>) -> Result<Bytes, ObjectError> {
        let (path, end) = (self.path(name), range.end);
        let expected = range.end - range.start;
        let read = self.store.get_range(&path, range);
        let short = || ObjectError::Short {
            object: name.to_owned(),
        };
        match self.driver.run("read", name, read) {
            Ok(bytes) if bytes.len() as u64 == expected => Ok(bytes),
            Ok(_) => Err(short()),
            Err(error @ ObjectError::Unreachable { .. }) => {
                // A range behind the end is an error like any other there.
                match self.length(name) {
                    Ok(length) if length < end => Err(short()),
                    _ => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }

    fn length(&self, name: &str) -> Result<u64, ObjectError> {
        let path = self.path(name);
        let meta = self.driver.run("look at", name, self.store.head(&path))?;
        Ok(meta.size)
    }

    fn delete(&self, name: &str) -> Result<(), ObjectError> {
        let path = self.path(name);
        match self.driver.run("delete", name, self.store.delete(&path)) {
            Err(ObjectError::Missing { .. }) => Ok(()),
            done => done,
        }
    }

    fn list(&self, directory: &str, visit: &mut dyn FnMut(Meta)) -> Result<(), ObjectError> {
        let path = self.path(directory);
        let skip = if self.prefix.as_ref().is_empty() {
            0
        } else {
            self.prefix.as_ref().len() + 1
        };
        let listed = self.store.list(Some(&path)).try_for_each(|meta| {
            let name = meta.location.as_ref().get(skip..).unwrap_or_default();
            visit(Meta {
                name: name.to_owned(),
                bytes: meta.size,
                modified: Timestamp(
                    u64::try_from(meta.last_modified.timestamp_millis()).unwrap_or(0),
                ),
            });
            std::future::ready(Ok(()))
        });
        self.driver.run("list", directory, listed)
    }

    fn put(&self, name: &str, bytes: Bytes) -> Result<(), ObjectError> {
        let path = self.path(name);
        let put = self.store.put(&path, bytes.into());
        self.driver.run("write", name, put).map(drop)
    }
}

impl Upload for Parts {
    fn part(&mut self, bytes: Bytes) -> Result<(), ObjectError> {
        let part = self.upload.put_part(bytes.into());
        self.driver.run("write", &self.name, part)
    }

    fn finish(mut self: Box<Self>) -> Result<(), ObjectError> {
        let driver = Arc::clone(&self.driver);
        let name = self.name.clone();
        driver.run("finish", &name, self.upload.complete())?;
        self.ended = true;
        Ok(())
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        if !self.ended {
            // What cannot be given up is left to the store's own rules for unfinished uploads.
            drop(self.driver.run("give up", &self.name, self.upload.abort()));
        }
    }
}

impl fmt::Debug for RemoteObjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemoteObjects({})", self.place)
    }
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Parts({})", self.name)
    }
}
