/// Ids by bytes: a hash table over one flat array, so that a lookup allocates nothing.
///
/// Keys are bytes and not strings: Swift's strings are equal when canonically equivalent, which tokens are not.
struct PieceTable: Sendable {
    private var bytes: [UInt8] = []
    private var starts: [Int] = [0]
    private var ids: [Int32] = []
    private var slots: [Int32]

    init(_ pieces: [(bytes: [UInt8], id: Int32)]) {
        var size = 16
        while size < 2 * pieces.count { size *= 2 }
        slots = Array(repeating: -1, count: size)
        for piece in pieces { insert(piece.bytes, piece.id) }
    }

    private mutating func insert(_ piece: [UInt8], _ id: Int32) {
        let slot = piece.withUnsafeBufferPointer { find($0) }
        guard slots[slot] < 0 else { return }
        slots[slot] = Int32(ids.count)
        bytes += piece
        starts.append(bytes.count)
        ids.append(id)
    }

    subscript(piece: [UInt8]) -> Int32? { piece.withUnsafeBufferPointer { self[$0] } }

    subscript(piece: UnsafeBufferPointer<UInt8>) -> Int32? {
        let entry = slots[find(piece)]
        return entry < 0 ? nil : ids[Int(entry)]
    }

    /// The slot of `piece`, or the empty one where it would be.
    private func find(_ piece: UnsafeBufferPointer<UInt8>) -> Int {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in piece { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
        var slot = Int(truncatingIfNeeded: hash ^ (hash >> 29)) & (slots.count - 1)
        while slots[slot] >= 0 {
            let entry = Int(slots[slot])
            let range = starts[entry]..<starts[entry + 1]
            if range.count == piece.count, bytes[range].elementsEqual(piece) { return slot }
            slot = (slot + 1) & (slots.count - 1)
        }
        return slot
    }
}
