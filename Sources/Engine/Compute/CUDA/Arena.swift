import Glibc

/// Places in one stretch of device memory, which is taken once: nothing asks the driver for memory afterwards.
///
/// Pure bookkeeping: first fit, neighbours that are free become one.
final class Arena: @unchecked Sendable {
    /// Every place begins at a multiple of this, as the tensor cores' widest loads want it.
    static let alignment = 256

    let start: UInt64
    let size: Int
    /// Free stretches by their offset, ascending and never adjacent.
    private var free: [(offset: Int, count: Int)]
    private(set) var used = 0
    private(set) var highest = 0

    init(start: UInt64, size: Int) {
        self.start = start
        self.size = size / Self.alignment * Self.alignment
        free = [(0, self.size)]
    }

    /// The largest place that can be had.
    var room: Int { free.map(\.count).max() ?? 0 }

    func take(_ bytes: Int) -> Place? {
        let count = max(1, (bytes + Self.alignment - 1) / Self.alignment) * Self.alignment
        guard bytes >= 0, let index = free.firstIndex(where: { $0.count >= count }) else { return nil }
        let offset = free[index].offset
        if free[index].count == count {
            free.remove(at: index)
        } else {
            free[index] = (offset + count, free[index].count - count)
        }
        used += count
        highest = max(highest, used)
        return Place(arena: self, offset: offset, count: count)
    }

    fileprivate func give(back offset: Int, _ count: Int) {
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
        let offset: Int
        /// Bytes.
        let count: Int

        /// Where it lies in device memory.
        var address: UInt64 { arena.start + UInt64(offset) }

        fileprivate init(arena: Arena, offset: Int, count: Int) {
            self.arena = arena
            self.offset = offset
            self.count = count
        }

        deinit { arena.give(back: offset, count) }
    }
}
