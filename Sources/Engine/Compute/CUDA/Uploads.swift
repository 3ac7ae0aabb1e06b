import CCUDA

/// Brings weights to the device through pinned memory, in pieces: while one is copied, the next is made.
final class Uploads {
    private let device: CUDADevice
    private let pinned: UnsafeMutableRawPointer

    private static let pieceBytes = 8 << 20

    init(_ device: CUDADevice) throws(ComputeError) {
        self.device = device
        var memory: UnsafeMutableRawPointer?
        device.queue("cuMemHostAlloc") { $0.allocate_host(&memory, 2 * Self.pieceBytes, 0) }
        guard let memory else {
            throw device.failure
                ?? ComputeError(.notReady, device.place, found: "no pinned memory", remedy: "free some")
        }
        pinned = memory
    }

    deinit { _ = device.libraries.driver.free_host(pinned) }

    /// Copies `count` numbers to `address`; `make` writes a range of them where it is told to.
    func copy(
        _ count: Int, valueBytes: Int, to address: UInt64, make: (Range<Int>, UnsafeMutableRawPointer) -> Void
    ) throws(ComputeError) {
        let most = Self.pieceBytes / valueBytes
        var half = 0
        for first in stride(from: 0, to: count, by: most) {
            let range = first..<min(first + most, count)
            let piece = pinned + half * Self.pieceBytes
            make(range, piece)
            // The piece before, which lies in the other half.
            try device.wait()
            device.copyIn(piece, range.count * valueBytes, to: address + UInt64(first * valueBytes), of: "weights")
            half = 1 - half
        }
        try device.wait()
    }
}

/// To nearest, ties to even; NaN stays NaN.
func roundedToBF16(_ value: Float) -> UInt16 {
    guard !value.isNaN else { return 0x7fc0 }
    let bits = value.bitPattern
    return UInt16(truncatingIfNeeded: (bits &+ 0x7fff &+ ((bits >> 16) & 1)) >> 16)
}
