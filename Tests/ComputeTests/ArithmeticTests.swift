import CKernels
import StandIn
import Testing

@testable import Compute

@Suite("What results' last bits depend on has a name")
struct ArithmeticTests {
    @Test("On the CPU: the instruction set and how weights are held, not threads nor the size of steps")
    func cpu() {
        func name(threads: Int = 1, keepBF16: Bool = false, rows: Int = 32) -> String {
            CPUBackend(threads: threads, keepBF16: keepBF16).arithmetic(tokenBudget: rows)
        }
        #expect(name(threads: 3, rows: 2048) == name())
        #expect(name(keepBF16: true) != name())
        // Sets of other widths sum a norm's squares in another order.
        let x = (0..<250).map { 1 / Float($0 + 1) }
        var found: [String: [Float]] = [:]
        for set in instructionSets {
            with(set) {
                var y = [Float](repeating: 0, count: x.count)
                pk_rms_norm(x, 250, 1, 250, x, 1e-5, &y, 250)
                found[name()] = y
            }
        }
        #expect(found.count == instructionSets.count)
        #expect(found.count == 1 || Set(found.values).count > 1)
    }

    @Test("On a GPU: the format, the card, the libraries and the size of steps, not the card's number")
    func gpu() throws {
        let device = try StandIn.device(bytes: 40 << 20)
        func name(isBF16: Bool, rows: Int) -> String {
            CUDABackend(device, isBF16: isBF16, cacheFolder: nil).arithmetic(tokenBudget: rows)
        }
        #expect(
            name(isBF16: true, rows: 64)
                == "cuda, bf16, stand-in, compute capability 9.0, 40 MiB, cuBLAS 120000, NVRTC 12.9, steps of 64 rows")
        #expect(name(isBF16: false, rows: 64).hasPrefix("cuda, float32, "))
        #expect(name(isBF16: true, rows: 65) != name(isBF16: true, rows: 64))
    }

    @Test("A large product of numbers gives its memory back", arguments: [false, true])
    func largeProduct(isBF16: Bool) throws {
        let device = try StandIn.device(bytes: 36 << 20)
        let used = device.arena.used
        #expect(try CUDABackend(device, isBF16: isBF16, cacheFolder: nil).largeProductRate() > 0)
        #expect(device.arena.used == used)
    }
}
