//! Where there is no Linux, as on some laptops: no copies, and so nothing to send them with.

use std::{
    fs::File,
    io::{self, ErrorKind},
};

use tokio::net::TcpStream;

pub(super) fn sealed_file(_pieces: &[&[u8]]) -> io::Result<File> {
    Err(ErrorKind::Unsupported.into())
}

pub(super) fn send_first(_stream: &TcpStream, _bytes: &[u8]) -> io::Result<usize> {
    Err(ErrorKind::Unsupported.into())
}

pub(super) fn send_file(
    _stream: &TcpStream,
    _file: &File,
    _offset: usize,
    _length: usize,
) -> io::Result<usize> {
    Err(ErrorKind::Unsupported.into())
}
