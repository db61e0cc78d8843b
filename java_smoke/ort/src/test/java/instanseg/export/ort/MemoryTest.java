package instanseg.export.ort;

import instanseg.export.protocol.Session;
import instanseg.export.testing.MemoryContract;
import java.nio.file.Path;
import java.util.Map;

class MemoryTest extends MemoryContract {

    @Override
    protected Session open(Path folder) throws Exception {
        return OrtModel.open(folder.resolve("model.onnx"), Map.of());
    }
}
