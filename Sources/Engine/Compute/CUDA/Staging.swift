import CCUDA
import Glibc

/// What a step tells the device: pinned memory that is filled from the front and copied in one go, and its place there.
///
/// It must hold all that is told between two waits; then it is used again from the front.
final class Staging {
    private let device: CUDADevice
    private let place: Arena.Place
    private let pinned: UnsafeMutableRawPointer
    let capacity: Int
    private var filled = 0
    private var copied = 0

    init(_ device: CUDADevice, bytes: Int) throws(ComputeError) {
        self.device = device
        place = try device.take(bytes, for: "staging")
        capacity = bytes
        var memory: UnsafeMutableRawPointer?
        let size = capacity
        device.queue("cuMemHostAlloc") { $0.allocate_host(&memory, size, 0) }
        guard let memory else {
            throw device.failure
                ?? ComputeError(.notReady, device.place, found: "no pinned memory", remedy: "free some")
        }
        pinned = memory
    }

    deinit { _ = device.libraries.driver.free_host(pinned) }

    /// Puts numbers in; `flush` brings them over.
    ///
    /// - Returns: where they will lie in device memory.
    func put<Number>(_ numbers: [Number]) -> UInt64 {
        let bytes = numbers.count * MemoryLayout<Number>.stride
        precondition(filled + bytes <= capacity, "a step tells the device more than it was sized for")
        numbers.withUnsafeBytes { source in
            guard let start = source.baseAddress else { return }
            pinned.advanced(by: filled).copyMemory(from: start, byteCount: bytes)
        }
        defer { filled += (bytes + 15) / 16 * 16 }
        return place.address + UInt64(filled)
    }

    /// Leaves room for numbers that the device writes, once all that was put in is flushed.
    ///
    /// - Returns: where it lies in device memory.
    func leave<Number>(_: Number.Type, _ count: Int) -> UInt64 {
        precondition(filled == copied, "what was put in is flushed first")
        let start = filled
        filled += (count * MemoryLayout<Number>.stride + 15) / 16 * 16
        precondition(filled <= capacity, "a step tells the device more than it was sized for")
        copied = filled
        return place.address + UInt64(start)
    }

    func flush() {
        guard filled > copied else { return }
        let (from, count) = (copied, filled - copied)
        device.copyIn(pinned + from, count, to: place.address + UInt64(from), of: "a step's rows")
        copied = filled
    }

    /// After a wait: the device has read everything.
    func reuse() {
        filled = 0
        copied = 0
    }
}
