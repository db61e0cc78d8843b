package instanseg.export.ort;

import ai.onnxruntime.OnnxJavaType;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OnnxValue;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtLoggingLevel;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.OrtSession.SessionOptions;
import instanseg.export.protocol.ElementType;
import instanseg.export.protocol.Metadata;
import instanseg.export.protocol.ModelException;
import instanseg.export.protocol.NumpyArray;
import instanseg.export.protocol.Request;
import instanseg.export.protocol.Session;
import instanseg.export.protocol.Settings;
import instanseg.export.protocol.UnavailableException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * An ONNX file in ONNX Runtime.
 *
 * <p>The Java interface feeds the graph's proper inputs alone, not the initializers that a caller may override. A setting
 * is therefore given when the session is made, as an initializer that takes the place of the file's own: it holds for all
 * runs of the session. Several threads may run one session.
 */
public final class OrtModel implements Session {

    private final OrtEnvironment environment = OrtEnvironment.getEnvironment();
    private final List<OnnxTensor> initializers = new ArrayList<>();
    private final SessionOptions options = new SessionOptions();
    private final Map<String, String> stages;
    private final OrtSession session;

    /**
     * Loads a file.
     *
     * @throws UnavailableException if another device than the CPU is asked for, or a setting is fixed in this format
     * @throws IllegalArgumentException if a setting does not fit
     * @throws ModelException if ONNX Runtime cannot load the file
     * @throws IOException if the file cannot be read
     */
    public static OrtModel open(Request request) throws IOException {
        request.requireCpu("ONNX Runtime");
        if (request.settings().size() == 0 && !request.stages()) {
            return open(request.model(), Map.of());
        }
        Optional<Metadata> metadata = metadataOf(request.model());
        Map<String, NumpyArray> settings = Settings.encode(request.settings(), metadata);
        settings.keySet().forEach(name -> requireOverridable(name, metadata));
        Map<String, String> stages = request.stages() ? metadata.map(Metadata::stages).orElse(Map.of()) : Map.of();
        return open(request.model(), settings, stages);
    }

    /** Loads a file with settings: arrays by name, a choice as its index; throws as {@link #open(Request)}. */
    public static OrtModel open(Path path, Map<String, NumpyArray> settings) throws IOException {
        return open(path, settings, Map.of());
    }

    private static OrtModel open(Path path, Map<String, NumpyArray> settings, Map<String, String> stages)
            throws IOException {
        byte[] model = read(path);
        Set<String> hidden = new LinkedHashSet<>(stages.values());
        hidden.remove(RESULT);
        try {
            return new OrtModel(hidden.isEmpty() ? model : FurtherOutputs.add(model, hidden), settings, stages);
        } catch (OrtException error) {
            throw refused(path, error);
        }
    }

    private OrtModel(byte[] model, Map<String, NumpyArray> settings, Map<String, String> stages) throws OrtException {
        this.stages = stages;
        try {
            // Warns otherwise of each setting that it can be overridden, which is its purpose.
            options.setSessionLogLevel(OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR);
            for (Map.Entry<String, NumpyArray> setting : settings.entrySet()) {
                OnnxTensor value = toTensor(setting.getValue());
                initializers.add(value);
                options.addInitializer(setting.getKey(), value);
            }
            session = environment.createSession(model, options);
        } catch (OrtException error) {
            release();
            throw error;
        }
    }

    private static byte[] read(Path path) throws IOException {
        if (!Files.isRegularFile(path)) {
            throw new IOException("there is no file " + path);
        }
        return Files.readAllBytes(path);
    }

    private static Optional<Metadata> metadataOf(Path path) throws IOException {
        byte[] model = read(path);
        try (SessionOptions options = new SessionOptions()) {
            options.setSessionLogLevel(OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR);
            options.setOptimizationLevel(SessionOptions.OptLevel.NO_OPT);
            try (OrtSession session = OrtEnvironment.getEnvironment().createSession(model, options)) {
                String text = session.getMetadata().getCustomMetadata().get(Metadata.KEY);
                return Optional.ofNullable(text).map(Metadata::parse);
            }
        } catch (OrtException error) {
            throw refused(path, error);
        }
    }

    private static ModelException refused(Path path, OrtException error) {
        return new ModelException("ONNX Runtime cannot load " + path + ": " + oneLine(error), error);
    }

    private static String oneLine(OrtException error) {
        return error.getMessage().strip().replaceAll("\\s*\\R\\s*", " ");
    }

    private static void requireOverridable(String name, Optional<Metadata> metadata) {
        boolean fixed = metadata.flatMap(one -> one.tunable(name)).map(Metadata.Tunable::fixed).orElse(false);
        if (fixed) {
            throw new UnavailableException("the setting " + name + " is fixed at export in this format");
        }
    }

    @Override
    public String version() {
        return environment.getVersion();
    }

    @Override
    public String device() {
        return "cpu (CPUExecutionProvider)";
    }

    @Override
    public Map<String, NumpyArray> run(NumpyArray image) {
        if (image.size() == 0) {
            // The graph cannot say so itself, as the forward does in TorchScript.
            throw new ModelException("the image is empty: its shape is " + Arrays.toString(image.shape()), null);
        }
        String input = session.getInputNames().iterator().next();
        try (OnnxTensor tensor = toTensor(image);
                OrtSession.Result result = session.run(Map.of(input, tensor))) {
            Map<String, NumpyArray> results = new LinkedHashMap<>();
            results.put(RESULT, toArray(result.get(RESULT).orElseThrow()));
            for (Map.Entry<String, String> stage : stages.entrySet()) {
                results.put(STAGE + stage.getKey(), toArray(result.get(stage.getValue()).orElseThrow()));
            }
            return results;
        } catch (OrtException error) {
            throw new ModelException(oneLine(error), error);
        }
    }

    @Override
    public void close() {
        try {
            session.close();
        } catch (OrtException error) {
            throw new ModelException("the session cannot be closed", error);
        } finally {
            release();
        }
    }

    private void release() {
        options.close();
        initializers.forEach(OnnxTensor::close);
    }

    private OnnxTensor toTensor(NumpyArray array) throws OrtException {
        OnnxJavaType type =
                switch (array.type()) {
                    case FLOAT32 -> OnnxJavaType.FLOAT;
                    case INT32 -> OnnxJavaType.INT32;
                    case INT64 -> OnnxJavaType.INT64;
                    case BOOL -> OnnxJavaType.BOOL;
                };
        ByteBuffer data = array.data().duplicate().order(ByteOrder.nativeOrder());
        return OnnxTensor.createTensor(environment, data, array.shape(), type);
    }

    private static NumpyArray toArray(OnnxValue value) {
        OnnxTensor tensor = (OnnxTensor) value;
        ElementType type =
                switch (tensor.getInfo().type) {
                    case FLOAT -> ElementType.FLOAT32;
                    case INT32 -> ElementType.INT32;
                    case INT64 -> ElementType.INT64;
                    case BOOL -> ElementType.BOOL;
                    default -> throw new IllegalStateException("the model returns " + tensor.getInfo());
                };
        return new NumpyArray(type, tensor.getInfo().getShape(), tensor.getByteBuffer());
    }
}
