import Glibc

/// Places in one stretch of device memory, which is taken once: nothing asks the driver for memory afterwards.
///
/// Pure bookkeeping: first fit, neighbours that are free become one.
final class Arena: @unchecked Sendable {
    /// Every place begins at a multiple of this, as the tensor cores' widest loads want it.
    static let alignment = 256

    /// Memory for a place alone, and its end: beyond a place lies nothing then that an index could stray into unseen.
    struct Source {
        let take: (Int) -> UInt64?
        let give: (UInt64) -> Void
    }

    let start: UInt64
    let size: Int
    private let source: Source?
    /// Free stretches by their offset, ascending and never adjacent.
    private var free: [(offset: Int, count: Int)]
    private(set) var used = 0
    private(set) var highest = 0

    /// - Parameter source: what gives each place memory of its own; nil where all lie in the one stretch.
    init(start: UInt64, size: Int, source: Source? = nil) {
        self.start = start
        self.source = source
        self.size = size / Self.alignment * Self.alignment
        free = [(0, self.size)]
    }

    /// The largest place that can be had.
    var room: Int { free.map(\.count).max() ?? 0 }

    func take(_ bytes: Int) -> Place? {
        let count = max(1, (bytes + Self.alignment - 1) / Self.alignment) * Self.alignment
        guard bytes >= 0, let index = free.firstIndex(where: { $0.count >= count }) else { return nil }
        let offset = free[index].offset
        guard let address = source.map({ $0.take(max(1, bytes)) }) ?? (start + UInt64(offset)) else { return nil }
        if free[index].count == count {
            free.remove(at: index)
        } else {
            free[index] = (offset + count, free[index].count - count)
        }
        used += count
        highest = max(highest, used)
        return Place(arena: self, address: address, offset: offset, count: count)
    }

    fileprivate func give(back address: UInt64, _ offset: Int, _ count: Int) {
        source?.give(address)
        used -= count
        let index = free.firstIndex { $0.offset > offset } ?? free.count
        free.insert((offset, count), at: index)
        if index + 1 < free.count, offset + count == free[index + 1].offset {
            free[index].count += free[index + 1].count
            free.remove(at: index + 1)
        }
        if index > 0, free[index - 1].offset + free[index - 1].count == offset {
            free[index - 1].count += free[index].count
            free.remove(at: index)
        }
    }

    /// A stretch of the arena, its owner's until it is let go.
    final class Place: @unchecked Sendable {
        let arena: Arena
        /// Where it lies in device memory.
        let address: UInt64
        let offset: Int
        /// Bytes.
        let count: Int

        fileprivate init(arena: Arena, address: UInt64, offset: Int, count: Int) {
            self.arena = arena
            self.address = address
            self.offset = offset
            self.count = count
        }

        deinit { arena.give(back: address, offset, count) }
    }
}
