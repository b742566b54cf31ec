// Reading stored bytes straight into the memory that is sent.

import Catalog
import Volumes

extension StoredObject {
    /// Appends part of the Part 10 file to memory of the caller; the range lies inside the file.
    package func read(
        from offset: Int64, count: Int, into buffer: inout OutputRawSpan
    ) throws(RetrievalFailure) {
        do throws(VolumeFailure) {
            try volumes.read(instance.place, from: offset, count: count, into: &buffer)
        } catch .erased {
            throw .absent
        } catch {
            throw .unreadable(reason: "\(error)")
        }
    }
}
