"""What is called otherwise elsewhere: for a name of Keras, fastai, scikit-learn or PyTorch, the error says what to call here."""

from __future__ import annotations

from collections.abc import Mapping
from functools import wraps
from typing import Any, Callable, NoReturn, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])

_TRAIN = "sasuka.Learner(model, (pictures, labels)).fit(epochs) trains a network"
_MOVE = "a network computes in float32 on the CPU, so there is nothing to move or convert"
_LOGITS = "call the model: model(pictures) gives logits; Learner.predict gives probabilities"
_EVALUATE = "sasuka.Learner(model, data, valid=(pictures, labels)).evaluate() gives loss and accuracy"
_SAVE = "model.save_weights(path) writes .pth, .safetensors or .npz; sasuka.Bundle keeps classes, too"
_STEP = "sasuka.Trainer(model).step(pictures, labels) makes one step of training"
_FREEZE = "model.freeze(pattern) and model.unfreeze(pattern) say what is trained"
_ARRAYS = "NumPy arrays and PyTorch tensors are taken as they are"
_NETWORK = 'sasuka.create_model("resnet18") makes a network; sasuka.list_models() lists them'
_ADAPT = "sasuka.Learner(sasuka.create_model(name), data).fine_tune(epochs) adapts a network"
_LOAD = "sasuka.Bundle.load(folder) reads a network with its classes; model.load_weights(path) weights alone"
_DATA = "sasuka.data has data sets and loaders"
_LOSS = 'losses have names: sasuka.Learner(model, data, loss="cross_entropy")'
_RESULTS = "sasuka.plots.top_losses(learner) and sasuka.plots.confusion_matrix(learner) show results"
_OPTIMIZER = 'optimisers have names: sasuka.Learner(model, data, optimizer="adamw", lr=0.001)'

_SPLIT = "sasuka.data.random_split(dataset, 0.2) holds a fifth out, for valid=..."
_GIVEN = "data is given to the learner: sasuka.Learner(model, (pictures, labels), valid=(more, labels), batch_size=32)"
#: What is to be done with layers.
BUILD = "layers are the plan of a network; .model(input_shape) makes the network itself"

MODEL = {
    **dict.fromkeys(("fit", "compile", "train_on_batch"), _TRAIN),
    **dict.fromkeys(("predict", "predict_proba", "predict_on_batch", "forward"), _LOGITS),
    **dict.fromkeys(("evaluate", "score"), _EVALUATE),
    **dict.fromkeys(("to", "cpu", "cuda", "half", "float", "double", "bfloat16", "device", "dtype"), _MOVE),
    **dict.fromkeys(("save", "export"), _SAVE),
    "load": "model.load_weights(path) reads .pth, .safetensors or .npz",
    **dict.fromkeys(("weights", "get_weights", "trainable_weights"), "model.state_dict() gives names and arrays"),
    "set_weights": "model.load_state_dict(state) takes names and arrays",
    "count_params": "model.summary() counts parameters; model.layers() has each layer's",
    **dict.fromkeys(("trainable", "requires_grad_"), _FREEZE),
    **dict.fromkeys(("zero_grad", "backward", "loss"), _STEP),
    **dict.fromkeys(("modules", "children", "named_children", "get_submodule"), "model.named_modules() gives names and modules"),
    "apply": "model.initialize(pattern, kind) draws weights anew",
    "add": "sasuka.nn.Sequential(...).model(input_shape) makes a network of layers",
    "get_layer": "model.layers() describes the layers; model.features(pictures, name) gives a layer's result",
}  # fmt: skip

LEARNER = {
    "compile": "optimizer, lr and loss are given to sasuka.Learner itself",
    **dict.fromkeys(("get_preds", "predict_proba"), "learner.predict(pictures) gives probabilities"),
    **dict.fromkeys(("validate", "score"), "learner.evaluate() gives loss and accuracy"),
    "recorder": "learner.history, learner.losses and learner.rates hold the numbers; sasuka.plots draws them",
    **dict.fromkeys(("show_results", "plot_confusion_matrix"), _RESULTS),
    **dict.fromkeys(("save", "export"), "learner.model.save_weights(path) writes weights; sasuka.Bundle keeps classes, too"),
    "load": "learner.model.load_weights(path) reads weights",
    "summary": "learner.model.summary() describes the network",
    "dls": "learner.train and learner.valid are the loaders",
    "opt": "learner.trainer is the trainer of the last fit",
    "loss_func": 'the loss is a setting: sasuka.Learner(model, data, loss="cross_entropy")',
    **dict.fromkeys(("to", "cuda", "to_fp16"), _MOVE),
}  # fmt: skip

TRAINER = {
    "fit": "sasuka.Learner(model, data).fit(epochs) trains for epochs; trainer.step(pictures, labels) makes one step",
    "train": "trainer.step(pictures, labels) makes one step of training",
    "zero_grad": "trainer.zero_gradients() sets them to 0",
    "backward": "trainer.forward_backward(pictures, labels) adds gradients",
    "predict": "call the model: model(pictures) gives logits",
}

HISTORY = {
    "history": 'learner.history is a list of epochs; learner.history.column("train_loss") is a curve',
    "plot": "sasuka.plots.history(learner) draws it",
}  # fmt: skip

#: Of an entry of `model.parameters()`.
PARAMETER = {
    **dict.fromkeys(("data", "numpy", "size", "dtype"), "it is a name, a shape and a kind; model.state_dict() has the numbers"),
    **dict.fromkeys(("grad",), "sasuka.Trainer(model).gradients() has the gradients, by name"),
    "requires_grad": _FREEZE,
}  # fmt: skip

PACKAGE = {
    "Sequential": "sasuka.nn.Sequential(...).model(input_shape) makes a network of layers",
    "Module": "sasuka.nn.Sequential and sasuka.Graph make networks of your own",
    **dict.fromkeys(("models", "applications", "keras"), _NETWORK),
    **dict.fromkeys(("vision_learner", "cnn_learner"), _ADAPT),
    **dict.fromkeys(("load_model", "load_learner", "load"), _LOAD),
    **dict.fromkeys(("save", "save_model"), "model.save_weights(path) writes weights"),
    **dict.fromkeys(("optim", "optimizers", "SGD", "Adam", "AdamW", "RMSprop"), _OPTIMIZER),
    **dict.fromkeys(("no_grad", "inference_mode"), "nothing to switch off: calling a model keeps nothing for gradients"),
    **dict.fromkeys(("tensor", "Tensor", "from_numpy", "as_tensor", "from_torch"), _ARRAYS),
    **dict.fromkeys(("DataLoader", "ImageFolder", "ImageDataLoaders", "Dataset", "datasets"), _DATA),
    "manual_seed": "seeds are arguments: sasuka.create_model(name, seed=1), sasuka.Learner(model, data, seed=1)",
    "set_num_threads": "threads are an argument: model.session(threads=2), sasuka.Learner(model, data, threads=2)",
}  # fmt: skip

#: Arguments of `create_model`.
CREATE = {
    **dict.fromkeys(("pretrained", "weights"), "nothing is downloaded: model.load_weights(path) reads torchvision's .pth files"),
    **dict.fromkeys(("classes", "n_out"), "num_classes is its name here"),
    **dict.fromkeys(("in_chans", "n_in"), "in_channels is its name here"),
    "input_shape": "a network takes pictures of any size that it can; in_channels says how many channels",
    "include_top": 'model.features(pictures, "flatten") gives what stands before the head; model.replace_head(classes) renews it',
}  # fmt: skip

LAYERS = {
    "Dense": "Linear(in_features, out_features), or LazyLinear(out_features), which need not be told the first",
    "Conv2D": "Conv2d(in_channels, out_channels, kernel_size), or LazyConv2d(out_channels, kernel_size)",
    "Conv2DTranspose": "ConvTranspose2d",
    "MaxPooling2D": "MaxPool2d(kernel_size)",
    "AveragePooling2D": "AvgPool2d(kernel_size)",
    **dict.fromkeys(("GlobalAveragePooling2D", "AdaptiveConcatPool2d"), "AdaptiveAvgPool2d(1) and Flatten()"),
    "BatchNormalization": "BatchNorm2d(num_features), or LazyBatchNorm2d()",
    "SpatialDropout2D": "Dropout2d(p)",
    "ZeroPadding2D": "ZeroPad2d(padding)",
    "UpSampling2D": "Upsample",
    "Activation": "ReLU(), Tanh(), Sigmoid(), SiLU() and others",
    "Input": "the input's shape is given to Sequential(...).model(input_shape)",
    "Concatenate": "Concat(...) joins branches along the channels",
    "Add": "Residual(...) adds a shortcut",
    **dict.fromkeys(("ModuleList", "ModuleDict"), "Sequential takes layers, or names with layers"),
    **dict.fromkeys(("CrossEntropyLoss", "MSELoss", "BCEWithLogitsLoss"), _LOSS),
    "Parameter": "sasuka.Graph makes layers of your own",
}  # fmt: skip


MODULE = {
    **dict.fromkeys(
        ("fit", "compile", "summary", "forward", "eval", "train", "parameters", "named_parameters", "state_dict",
         "load_state_dict", "predict", "evaluate", "to", "cuda", "build"),
        BUILD,
    ),
}  # fmt: skip

DATA = {
    **dict.fromkeys(("TensorDataset", "from_tensor_slices"), "sasuka.data.ArrayDataset(pictures, labels) has arrays in memory"),
    **dict.fromkeys(
        ("ImageDataLoaders", "DataBlock", "image_dataset_from_directory", "ImageDataGenerator", "DatasetFolder"),
        "sasuka.data.ImageFolder(root, size) reads a folder with a folder of pictures for each class; "
        "sasuka.data.DataLoader makes batches of it",
    ),
    **dict.fromkeys(("train_test_split", "RandomSplitter"), _SPLIT),
    **dict.fromkeys(("MNIST", "FashionMNIST", "CIFAR10"), "sasuka.data.idx_dataset(folder) reads MNIST's files; sasuka.samples has data"),
}  # fmt: skip

TRANSFORMS = {
    **dict.fromkeys(("Resize", "CenterCrop", "RandomResizedCrop"), "sasuka.data.ImageFolder(root, size) resizes pictures and cuts them"),
    **dict.fromkeys(("ToTensor", "PILToTensor", "ToImage"), "pictures are arrays already; bytes become 0 to 1 in batches"),
    **dict.fromkeys(("RandomErasing", "RandomCutout"), "sasuka.transforms.Cutout(size) is its like"),
    **dict.fromkeys(("Flip", "RandomFlip"), "sasuka.transforms.RandomHorizontalFlip() mirrors"),
    "MixUp": "sasuka.transforms.Mixup, or Learner's argument mixup",
}  # fmt: skip

CALLBACKS = {
    **dict.fromkeys(("ModelCheckpoint", "SaveModelCallback"), "sasuka.callbacks.Checkpoint(path) saves the best weights"),
    "EarlyStoppingCallback": "EarlyStopping is its name here",
    **dict.fromkeys(("LearningRateScheduler", "ReduceLROnPlateau", "LRScheduler"), 'sasuka.callbacks.Schedule("cosine") changes the rate'),
    "History": "learner.history holds the numbers of each epoch",
    "TensorBoard": "sasuka.callbacks.CSVLogger(path) writes the numbers of each epoch",
}  # fmt: skip

PLOTS = {
    **dict.fromkeys(("plot_loss", "loss", "plot_history", "plot_metrics"), "sasuka.plots.history(learner) draws epochs, sasuka.plots.losses(learner) steps"),
    **dict.fromkeys(("plot_confusion_matrix", "ConfusionMatrixDisplay"), "sasuka.plots.confusion_matrix(true, predicted) draws it"),
    **dict.fromkeys(("plot_top_losses", "show_results"), "sasuka.plots.top_losses(learner) draws them"),
    **dict.fromkeys(("plot_model", "model"), "sasuka.plots.network(model) draws it"),
    **dict.fromkeys(("imshow", "show_batch"), "sasuka.plots.pictures(batch) draws them"),
}  # fmt: skip

#: Arguments of `Learner`.
LEARN = {
    "metrics": "loss, accuracy and top-5 accuracy are always measured: learner.history holds them",
    **dict.fromkeys(("epochs", "n_epochs", "num_epochs"), "it is given to learner.fit(epochs)"),
    **dict.fromkeys(("learning_rate", "lr_max"), "lr is its name here"),
    **dict.fromkeys(("loss_func", "criterion", "loss_fn"), 'loss is its name here: "cross_entropy", "mean_squared_error", ...'),
    **dict.fromkeys(("opt_func", "opt"), 'optimizer is its name here: "adamw", "adam", "sgd", "rmsprop"'),
    **dict.fromkeys(("wd",), "weight_decay is its name here"),
    **dict.fromkeys(("cbs", "callback"), "callbacks is its name here"),
    **dict.fromkeys(("bs",), "batch_size is its name here"),
    **dict.fromkeys(("validation_split", "valid_pct", "val_split"), _SPLIT),
    **dict.fromkeys(("validation_data", "val", "valid_data", "val_data"), "valid is its name here"),
    "device": _MOVE,
}  # fmt: skip

#: Arguments of `Learner.fit`.
FIT = {
    **dict.fromkeys(("n_epoch", "nb_epoch", "n_epochs", "num_epochs"), "epochs is its name here"),
    **dict.fromkeys(("learning_rate", "lr_max"), "lr is its name here"),
    **dict.fromkeys(("x", "y", "batch_size", "validation_data", "validation_split"), _GIVEN),
    **dict.fromkeys(("wd", "weight_decay"), "weight_decay is given to sasuka.Learner itself"),
    "cbs": "callbacks is its name here",
    "verbose": "progress=False is given to sasuka.Learner itself",
}  # fmt: skip

#: Arguments of `DataLoader`.
LOAD = {
    "num_workers": "workers is its name here",
    "bs": "batch_size is its name here",
    **dict.fromkeys(("collate_fn", "pin_memory", "sampler", "batch_sampler", "prefetch_factor"), "there is no need of it here"),
}  # fmt: skip

#: Arguments of `random_split`.
SPLIT = dict.fromkeys(("test_size", "valid_pct", "lengths", "validation_split"), "fraction says which share is held out")

#: Arguments of `ImageFolder`.
FOLDER = {
    "transform": "it is given to the loader: sasuka.data.DataLoader(dataset, transform=[...])",
    **dict.fromkeys(("valid_pct", "validation_split"), _SPLIT),
    **dict.fromkeys(("image_size", "target_size", "img_size"), "size is its name here"),
    "batch_size": "it is given to the loader: sasuka.data.DataLoader(dataset, batch_size)",
}  # fmt: skip


#: Arguments of `list_models`.
LIST = {"pretrained": "nothing is downloaded: model.load_weights(path) reads torchvision's .pth files"}


def _text(what: str, name: str, hints: Mapping[str, str]) -> str:
    return f"{what} has no attribute {name!r}" + (f"; {hints[name]}" if name in hints else "")


def of_object(hints: Mapping[str, str]) -> Callable[[object, str], NoReturn]:
    """The `__getattr__` of a class, which is asked for names that the class does not have."""

    def __getattr__(self: object, name: str) -> NoReturn:
        raise AttributeError(_text(f"{type(self).__name__!r} object", name, hints))

    return __getattr__


def of_module(module: str, hints: Mapping[str, str]) -> Callable[[str], NoReturn]:
    """The `__getattr__` of a module."""

    def __getattr__(name: str) -> NoReturn:
        raise AttributeError(_text(f"module {module!r}", name, hints))

    return __getattr__


def arguments_of(hints: Mapping[str, str]) -> Callable[[F], F]:
    """Decorates a function: arguments that it is given by another name are refused with what to do here."""

    def decorate(function: F) -> F:
        @wraps(function)
        def called(*arguments: Any, **named: Any) -> Any:
            for name in named:
                if name in hints:
                    raise TypeError(f"{function.__qualname__.removesuffix('.__init__')}() takes no {name!r}; {hints[name]}")
            return function(*arguments, **named)

        return cast(F, called)

    return decorate
