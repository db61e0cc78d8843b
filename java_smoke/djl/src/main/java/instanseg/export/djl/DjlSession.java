package instanseg.export.djl;

import ai.djl.Device;
import ai.djl.MalformedModelException;
import ai.djl.Model;
import ai.djl.engine.Engine;
import ai.djl.engine.EngineException;
import ai.djl.inference.Predictor;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.translate.NoopTranslator;
import ai.djl.translate.TranslateException;
import instanseg.export.protocol.ElementType;
import instanseg.export.protocol.Metadata;
import instanseg.export.protocol.ModelException;
import instanseg.export.protocol.NumpyArray;
import instanseg.export.protocol.Request;
import instanseg.export.protocol.Session;
import instanseg.export.protocol.Settings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A TorchScript file in DJL. Settings go along as NDArrays that are named {@code args.<name>}, which DJL makes the
 * dictionary that is the second argument of {@code forward}.
 *
 * <p>Several threads may run one session: each call has a predictor of its own.
 */
public final class DjlSession implements Session {

    private static final String ARGUMENTS = "args.";
    // DJL calls the method that the name of an array says, instead of forward.
    private static final String CALL_STAGES = "module_method:stages";

    private final Model model;
    private final Map<String, NumpyArray> settings;
    private final boolean stages;

    private DjlSession(Model model, Map<String, NumpyArray> settings, boolean stages) {
        this.model = model;
        this.settings = settings;
        this.stages = stages;
    }

    /**
     * Loads a file.
     *
     * @throws instanseg.export.protocol.UnavailableException if another device than the CPU is asked for
     * @throws IllegalArgumentException if a setting does not fit
     * @throws ModelException if libtorch cannot load the file
     * @throws IOException if there is no such file
     */
    public static DjlSession open(Request request) throws IOException {
        request.requireCpu("libtorch");
        if (!Files.isRegularFile(request.model())) {
            throw new IOException("there is no file " + request.model());
        }
        Map<String, NumpyArray> settings;
        try {
            settings = Settings.encode(request.settings(), Metadata.ofTorchScript(request.model()));
        } catch (IOException error) {
            throw new ModelException(request.model() + " is not a TorchScript file, or is damaged", error);
        }
        return new DjlSession(load(request.model()), settings, request.stages());
    }

    /** Loads a file, with the settings that it was exported with; throws as {@link #open(Request)}. */
    public static DjlSession open(Path model) throws IOException {
        return open(Request.of(model));
    }

    private static Model load(Path path) throws IOException {
        Model model = Model.newInstance(path.getFileName().toString(), Device.cpu(), "PyTorch");
        try {
            model.load(path.toAbsolutePath().getParent(), path.getFileName().toString());
            return model;
        } catch (MalformedModelException | EngineException error) {
            model.close();
            throw new ModelException("libtorch cannot load " + path + ": " + Complaint.of(error), error);
        }
    }

    @Override
    public String version() {
        return "libtorch " + Engine.getEngine("PyTorch").getVersion() + ", DJL " + Engine.getDjlVersion();
    }

    @Override
    public String device() {
        return "cpu";
    }

    @Override
    public Map<String, NumpyArray> run(NumpyArray image) {
        return run(image, settings);
    }

    /** The same, with settings of this call: arrays by name, a choice as its index. */
    public Map<String, NumpyArray> run(NumpyArray image, Map<String, NumpyArray> settings) {
        try (NDManager manager = model.getNDManager().newSubManager();
                Predictor<NDList, NDList> predictor = model.newPredictor(new NoopTranslator(null))) {
            NDList inputs = new NDList(toNdArray(manager, image));
            settings.forEach((name, value) -> {
                NDArray array = toNdArray(manager, value);
                array.setName(ARGUMENTS + name);
                inputs.add(array);
            });
            Map<String, NumpyArray> results = new LinkedHashMap<>();
            results.put(RESULT, take(predictor.predict(inputs)).get(""));
            if (stages) {
                NDArray call = manager.create(0);
                call.setName(CALL_STAGES);
                inputs.add(0, call);
                take(predictor.predict(inputs)).forEach((name, value) -> results.put(STAGE + name, value));
            }
            return results;
        } catch (TranslateException | EngineException error) {
            throw new ModelException(Complaint.of(error), error);
        }
    }

    @Override
    public void close() {
        model.close();
    }

    /** Copies results out of libtorch and frees them; a result without a name is called "". */
    private static Map<String, NumpyArray> take(NDList outputs) {
        try (outputs) {
            Map<String, NumpyArray> arrays = new LinkedHashMap<>();
            for (NDArray output : outputs) {
                String name = output.getName() == null ? "" : output.getName();
                ElementType type = typeOf(output.getDataType());
                arrays.put(name, new NumpyArray(type, output.getShape().getShape(), output.toByteBuffer()));
            }
            return arrays;
        }
    }

    private static NDArray toNdArray(NDManager manager, NumpyArray array) {
        return manager.create(array.data().duplicate(), new Shape(array.shape()), typeOf(array.type()));
    }

    private static DataType typeOf(ElementType type) {
        return switch (type) {
            case FLOAT32 -> DataType.FLOAT32;
            case INT32 -> DataType.INT32;
            case INT64 -> DataType.INT64;
            case BOOL -> DataType.BOOLEAN;
        };
    }

    private static ElementType typeOf(DataType type) {
        return switch (type) {
            case FLOAT32 -> ElementType.FLOAT32;
            case INT32 -> ElementType.INT32;
            case INT64 -> ElementType.INT64;
            case BOOLEAN -> ElementType.BOOL;
            default -> throw new IllegalStateException("the model returns " + type + ", which is no part of the protocol");
        };
    }
}
