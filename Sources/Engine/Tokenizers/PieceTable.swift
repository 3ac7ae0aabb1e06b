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
        // Seeded anew in every process: a file cannot choose pieces that all fall into one slot.
        var hasher = Hasher()
        hasher.combine(bytes: UnsafeRawBufferPointer(piece))
        var slot = hasher.finalize() & (slots.count - 1)
        while slots[slot] >= 0 {
            let entry = Int(slots[slot])
            let range = starts[entry]..<starts[entry + 1]
            if range.count == piece.count, bytes[range].elementsEqual(piece) { return slot }
            slot = (slot + 1) & (slots.count - 1)
        }
        return slot
    }
}
