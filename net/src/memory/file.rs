//! Files in memory, without a name, whose size is fixed by seals: no access within it falls off its end. Linux has them. One of
//! the modules where `unsafe` is allowed: the operating system is asked for what nothing else here wraps.

#![cfg_attr(target_os = "linux", allow(unsafe_code))]

pub(super) use sys::{identity, make, open};

#[cfg(target_os = "linux")]
mod sys {
    use std::ffi::CStr;
    use std::fs::{File, OpenOptions};
    use std::io;
    use std::os::fd::{AsRawFd, FromRawFd};
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
    use std::path::Path;

    /// What such a file is called, where one looks at what a process has open.
    const NAME: &CStr = c"corelane";
    const SHOWN: &str = "/memfd:corelane (deleted)";

    /// What must not be done to a file any more.
    const SEALS: i32 = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;

    /// Makes one of so many bytes, and says its number in this process. Its pages are there.
    pub(in crate::memory) fn make(bytes: u64) -> io::Result<(File, u32)> {
        // Linux before 6.3 does not know that nothing in it is ever run.
        let file = unsized_file(libc::MFD_NOEXEC_SEAL).or_else(|_| unsized_file(0))?;
        let (number, length) = (file.as_raw_fd(), libc::off_t::try_from(bytes));
        let length = length.map_err(|_| io::ErrorKind::InvalidInput)?;
        // At once, or an error: when one is written to it would be too late for that.
        // SAFETY: no memory is passed.
        if unsafe { libc::fallocate(number, 0, 0, length) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: no memory is passed.
        if unsafe { libc::fcntl(number, libc::F_ADD_SEALS, SEALS) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok((file, number.try_into().map_err(|_| io::ErrorKind::InvalidData)?))
    }

    fn unsized_file(flags: u32) -> io::Result<File> {
        let flags = flags | libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
        // SAFETY: the name is a string that ends, and is read during the call only.
        match unsafe { libc::memfd_create(NAME.as_ptr(), flags) } {
            -1 => Err(io::Error::last_os_error()),
            // SAFETY: the descriptor is open, and nobody else has it.
            descriptor => Ok(unsafe { File::from_raw_fd(descriptor) }),
        }
    }

    /// Opens what a process has under a number, if it is such a file, of so many bytes.
    pub(in crate::memory) fn open(process: u32, number: u32, bytes: u64) -> io::Result<File> {
        let wrong = |what: &'static str| Err(io::Error::new(io::ErrorKind::InvalidData, what));
        let path = format!("/proc/{process}/fd/{number}");
        // Something else may take as long to be opened as whoever serves it likes.
        if std::fs::read_link(&path)? != Path::new(SHOWN) {
            return wrong("it is no memory of this kind");
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
        let file = options.open(path)?;
        // SAFETY: no memory is passed.
        let seals = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GET_SEALS) };
        if seals == -1 || seals & SEALS != SEALS {
            return wrong("it is no sealed memory");
        }
        if file.metadata()?.len() != bytes {
            return wrong("it is not of the size that is shared");
        }
        Ok(file)
    }

    /// What no other file that is there has.
    pub(in crate::memory) fn identity(file: &File) -> io::Result<[u64; 2]> {
        let metadata = file.metadata()?;
        Ok([metadata.dev(), metadata.ino()])
    }
}

#[cfg(not(target_os = "linux"))]
mod sys {
    use std::fs::File;
    use std::io;

    pub(in crate::memory) fn make(_: u64) -> io::Result<(File, u32)> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(in crate::memory) fn open(_: u32, _: u32, _: u64) -> io::Result<File> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(in crate::memory) fn identity(_: &File) -> io::Result<[u64; 2]> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
