//! What must hold of any bytes: shared by the fuzz targets and the test that goes through their corpus.

use phalanx_session::{Frames, Greeting, Hello, Request, Told, VERSION};

/// A hello or a greeting.
pub fn greeting(bytes: &[u8]) {
    if let Ok((_, Some(hello))) = Hello::read(bytes) {
        assert_eq!(Hello::read(&hello.write(VERSION)), Ok((VERSION, Some(hello))));
    }
    if let Ok((version, greeting)) = Greeting::read(bytes) {
        assert_eq!(Greeting::read(&greeting.write(version)), Ok((version, greeting)));
    }
}

/// A request.
pub fn request(bytes: &[u8]) {
    if let Ok(request) = Request::read(bytes) {
        assert_eq!(Request::read(&request.write()), Ok(request));
    }
}

/// Something told.
pub fn told(bytes: &[u8]) {
    if let Ok(told) = Told::read(bytes) {
        assert_eq!(Told::read(&told.write()), Ok(told));
    }
}

/// A stream, cut into pieces as long as its first byte says: whole frames come out the same in one piece.
pub fn stream(bytes: &[u8]) {
    let Some((piece, stream)) = bytes.split_first() else { return };
    let (mut pieces, mut whole) = (Frames::default(), Frames::default());
    whole.push(stream);
    for piece in stream.chunks(usize::from(*piece).max(1)) {
        pieces.push(piece);
        while let Ok(Some(body)) = pieces.take() {
            assert_eq!(whole.take(), Ok(Some(body)));
            request(body);
        }
    }
    assert!(!matches!(whole.take(), Ok(Some(_))));
}
