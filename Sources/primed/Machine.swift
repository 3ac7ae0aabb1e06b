import Compute
import Glibc
import Manifest
import Posix

/// What the machine offers.
enum Machine {
    static var findings: [Finding] { [processor, blas, memory, clock] }

    private static var processor: Finding {
        let cores = sysconf(Int32(_SC_NPROCESSORS_ONLN))
        let known = ["avx2", "fma", "f16c", "avx512f", "avx512_bf16", "amx_bf16"]
        let flags = Set((field("flags", of: "/proc/cpuinfo") ?? "").split(separator: " ").map(String.init))
        let found = known.filter(flags.contains).joined(separator: " ")
        let name = field("model name", of: "/proc/cpuinfo") ?? "a processor"
        return Finding(.ok, "processor", "\(name), \(cores) cores, \(found); in use: \(CPUBackend.instructionSet)")
    }

    private static var blas: Finding {
        Finding(.ok, "products", "\(BLAS.library), one thread inside and primed's own pool around it")
    }

    private static var memory: Finding {
        func gigabytes(_ key: String) -> String? {
            let words = field(key, of: "/proc/meminfo")?.split(separator: " ")
            return words?.first.flatMap { Double($0) }.map { fixed($0 / 1_048_576, 1) }
        }
        guard let free = gigabytes("MemAvailable"), let total = gigabytes("MemTotal") else {
            return Finding(.note, "memory", "/proc/meminfo does not tell")
        }
        return Finding(.ok, "memory", "\(free) of \(total) GiB available")
    }

    /// Pools' days of consent depend on it.
    private static var clock: Finding {
        let now = WallClock.timestamp()
        let isPlausible = now > "2026-" && now < "2100-"
        return Finding(
            isPlausible ? .ok : .fail, "clock", isPlausible ? now : "\(now) cannot be; set it, consents expire by it")
    }

    // MARK: - GPUs

    /// NVIDIA's libraries and devices; nothing is wrong where none are and none are asked for.
    static func gpus(_ configuration: Configuration) -> [Finding] {
        let missing: Finding.State = configuration.devices == ["cpu"] ? .note : .fail
        let folder = configuration.cudaLibraries.isEmpty ? nil : configuration.cudaLibraries
        var findings = CUDALibraries.survey(folder: folder).map { library, found in
            switch found {
            case .success(let path): Finding(.ok, "\(library)", path)
            case .failure(let error): Finding(missing, "\(library)", "\(error.found); \(error.remedy)")
            }
        }
        guard let libraries = try? CUDALibraries(folder: folder) else { return findings }
        do {
            let devices = try CUDADevice.survey(libraries)
            if devices.isEmpty { findings.append(Finding(missing, "GPUs", "the driver shows none")) }
            findings += devices.map { device in
                Finding(
                    device.isUsable ? .ok : missing, device.name,
                    "compute capability \(device.capability / 10).\(device.capability % 10), \(device.memory >> 20) MiB"
                        + (device.isUsable ? "" : "; 8.0 or more is needed"))
            }
            for name in configuration.devices where name != "cpu" {
                guard case .cuda(let ordinal)? = Device(name), ordinal >= devices.count else { continue }
                findings.append(
                    Finding(.fail, "devices", "\(name) is configured, the driver shows \(devices.count) GPUs"))
            }
        } catch {
            findings.append(Finding(missing, "GPUs", "\(error)"))
        }
        return findings
    }

    // MARK: - /proc

    /// The text after `key` and a colon in the first line that begins so.
    private static func field(_ key: String, of file: String) -> String? {
        guard let bytes = try? Files.read(file, limit: 1 << 24) else { return nil }
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") where line.hasPrefix(key) {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, !parts[0].dropFirst(key.count).contains(where: { !$0.isWhitespace }) else {
                continue
            }
            return String(parts[1].drop { $0 == " " })
        }
        return nil
    }
}
