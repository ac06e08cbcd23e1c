//! The calls of Linux.

use std::{
    fs::File,
    io::{self, Write},
};

use rustix::{
    fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create},
    net::SendFlags,
};
use tokio::net::TcpStream;

/// An anonymous file of these pieces, which nobody can change any more.
pub(super) fn sealed_file(pieces: &[&[u8]]) -> io::Result<File> {
    let mut file = File::from(memfd_create("body", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?);
    for piece in pieces {
        file.write_all(piece)?;
    }
    fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
    Ok(file)
}

/// Sends bytes that more will follow, so that they leave in one packet with it.
pub(super) fn send_first(stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    Ok(rustix::net::send(stream, bytes, SendFlags::MORE | SendFlags::NOSIGNAL)?)
}

/// Sends part of a file.
pub(super) fn send_file(stream: &TcpStream, file: &File, offset: usize, length: usize) -> io::Result<usize> {
    Ok(rustix::fs::sendfile(stream, file, Some(&mut (offset as u64)), length)?)
}
