import Testing

@testable import Compute

@Suite("Places in device memory")
struct ArenaTests {
    @Test("Places never overlap, and what is let go can be had again")
    func places() throws {
        let arena = Arena(start: 1 << 20, size: 64 << 10)
        var numbers = Numbers(2)
        var held: [Arena.Place] = []
        for _ in 0..<2000 {
            if numbers.next() > 0, let place = arena.take(Int(abs(numbers.next()) * 9000)) {
                held.append(place)
            } else if !held.isEmpty {
                held.remove(at: Int(abs(numbers.next()) * Float(held.count - 1)))
            }
            let sorted = held.sorted { $0.offset < $1.offset }
            for (one, next) in zip(sorted, sorted.dropFirst()) { #expect(one.offset + one.count <= next.offset) }
            #expect(sorted.allSatisfy { $0.address % UInt64(Arena.alignment) == 0 })
            #expect(arena.used == held.reduce(0) { $0 + $1.count })
        }
        held = []
        #expect(arena.used == 0)
        // Neighbours became one again.
        #expect(arena.room == arena.size)
        #expect(arena.highest <= arena.size)
    }

    @Test("What does not fit is refused, and a place of nothing is still one")
    func limits() throws {
        let arena = Arena(start: 0, size: 1000)
        #expect(arena.size == 768)
        #expect(arena.take(769) == nil)
        #expect(arena.take(-1) == nil)
        let empty = try #require(arena.take(0))
        #expect(empty.count == Arena.alignment)
        let rest = try #require(arena.take(512))
        #expect(arena.take(1) == nil)
        #expect(rest.offset != empty.offset)
    }
}

@Suite("Names of devices")
struct DeviceNameTests {
    @Test(arguments: [("cpu", Device.cpu), ("cuda", .cuda(0)), ("cuda:0", .cuda(0)), ("cuda:7", .cuda(7))])
    func known(_ text: String, _ device: Device) {
        #expect(Device(text) == device)
        #expect(Device(device.description) == device)
    }

    @Test(arguments: ["", "CPU", "cuda:", "cuda:-1", "cuda:64", "cuda:x", "gpu", "cpu:0"])
    func unknown(_ text: String) { #expect(Device(text) == nil) }
}
