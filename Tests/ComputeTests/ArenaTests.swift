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

    @Test("Places with memory of their own have exactly that, and give it back")
    func separate() throws {
        final class Lender {
            var lent: [UInt64: Int] = [:]
            var next: UInt64 = 7 << 20
        }
        let lender = Lender()
        let arena = Arena(
            start: 0, size: 1024,
            source: Arena.Source(
                take: { bytes in
                    guard lender.lent.count < 2 else { return nil }
                    lender.next += 1 << 20
                    lender.lent[lender.next] = bytes
                    return lender.next
                }, give: { lender.lent[$0] = nil }))
        var first = arena.take(100)
        let second = try #require(arena.take(257))
        #expect(lender.lent == [8 << 20: 100, 9 << 20: 257])
        #expect(first?.address == 8 << 20 && second.address == 9 << 20)
        // The one limit is the arena's, the other the lender's: either leaves everything as it was.
        #expect(arena.take(512) == nil && lender.lent.count == 2)
        #expect(arena.take(1) == nil && arena.used == 768)
        first = nil
        #expect(lender.lent == [9 << 20: 257])
        #expect(arena.used == 512 && arena.take(1) != nil)
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
