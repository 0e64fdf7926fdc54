"""A notebook of 2017: Variable, FloatTensor, .data, .cuda() behind a flag, max(1)[1], legacy hooks of initialisation."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.autograd import Variable

BATCH, CLASSES = (4, 1, 8, 8), 4
use_cuda = torch.cuda.is_available()


class Net(nn.Module):
    def __init__(self):
        super(Net, self).__init__()
        self.conv1 = nn.Conv2d(1, 4, kernel_size=3)
        self.conv2_drop = nn.Dropout2d()
        self.fc1 = nn.Linear(36, 10)
        self.fc2 = nn.Linear(10, 4)

    def forward(self, x):
        x = F.relu(F.max_pool2d(self.conv2_drop(self.conv1(x)), 2))
        x = x.view(-1, 36)
        x = F.tanh(self.fc1(x))
        x = F.dropout(x, p=0.0, training=self.training)
        return F.log_softmax(self.fc2(x), dim=1)


def weights_init(m):
    classname = m.__class__.__name__
    if classname.find('Conv') != -1:
        m.weight.data.normal_(0.0, 0.02)
        m.bias.data.fill_(0)
    elif classname.find('Linear') != -1:
        size = m.weight.size()
        fan_out, fan_in = size[0], size[1]
        m.weight.data.uniform_(-1.0 / fan_in ** 0.5, 1.0 / fan_out ** 0.5)


def build():
    torch.manual_seed(1)
    if use_cuda:
        torch.cuda.manual_seed_all(1)
    model = Net()
    model.apply(weights_init)
    return model


def train(model, loader):
    dtype = torch.DoubleTensor
    if use_cuda:
        model.cuda()
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.5)
    model.train()
    for batch_idx, (data, target) in enumerate(loader):
        if use_cuda:
            data, target = data.cuda(), target.cuda()
        data, target = Variable(data.type(dtype)), Variable(target)
        optimizer.zero_grad()
        output = model(data)
        loss = F.nll_loss(output, target)
        loss.backward()
        optimizer.step()
        yield loss.data.item()
        yield float(loss.data.cpu().numpy())
    model.eval()
    correct = 0
    for data, target in loader:
        output = model(Variable(data))
        pred = output.data.max(1)[1]
        correct += pred.eq(target.data).cpu().sum()
        yield output.data.numpy().sum()
    yield int(correct)
    yield torch.LongTensor([[1, 2]]).float().mean().item()
    onehot = torch.FloatTensor(4, 4).zero_().scatter_(1, target.view(-1, 1), 1)
    yield onehot.sum().item()
    yield torch.Tensor([1.5, 2.5]).sum().item()
    for group in optimizer.param_groups:
        group['lr'] = group['lr'] * 0.1
    yield optimizer.state_dict()['param_groups'][0]['lr']
